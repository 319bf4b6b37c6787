/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/upgrade.h"

#include <string.h>
#include <strings.h>

#include "txn/http2_session.h"

/* True if one of the field lines is "Upgrade: h2c". */
static bool is_to_http2(struct span fields)
{
	static const char name[] = "upgrade:";
	const char *at = fields.ptr; /* may be NULL if there are no fields */
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
	/* The client sends its preface next, and the server a frame. */
	if (!http2_session_begin(c, s, s->role, false, 0))
		return false;
	if (e)
		http2_session_upgrade(c, s, e);
	return true;
}
