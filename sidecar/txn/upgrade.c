/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/upgrade.h"

#include <string.h>
#include <strings.h>

#include "txn/http2_session.h"

/* "Upgrade: h2c", a line of its own among the fields. */
static bool is_to_http2(struct span fields)
{
	static const char name[] = "upgrade:";
	const char *at = fields.ptr; /* may be NULL if there are none */
	const char *end = fields.len ? at + fields.len : at;

	while (at && at < end) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((next ? next : end) - at);

		if (len > sizeof(name) - 1 && strncasecmp(at, name, sizeof(name) - 1) == 0) {
			const char *value = at + sizeof(name) - 1;

			while (value < at + len && (*value == ' ' || *value == '\t'))
				value++;
			return at + len - value >= 3 && strncasecmp(value, "h2c", 3) == 0;
		}
		at = next ? next + 1 : NULL;
	}
	return false;
}

bool upgrade_to_http2(struct conn *c, struct session *s, struct exchange *e,
		      const struct message *m)
{
	if (!is_to_http2(m->fields))
		return false;
	/* The client's preface follows, the server's first frame is next. */
	if (!http2_session_begin(c, s, s->role, false, 0))
		return false;
	if (e)
		http2_session_upgrade(c, s, e);
	return true;
}
