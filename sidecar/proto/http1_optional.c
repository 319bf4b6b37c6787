/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_optional.h"

#include <string.h>

#include "proto/http1_head.h"

/* A response begins with this, wherever segments end; so nothing else is ever held. */
static const char version[] = "HTTP/1.";
#define VERSION_LEN (sizeof(version) - 1)

enum http1_optional http1_optional_add(struct http1 *p, struct span data)
{
	size_t n = VERSION_LEN - p->held;

	/* Requests: any short word may be a method, so only a whole line decides. */
	if (!p->is_response)
		return http1_head_has_start(data, false) ? HTTP1_OPTIONAL_MESSAGE
							 : HTTP1_OPTIONAL_BODY;
	if (n > data.len)
		n = data.len;
	if (memcmp(data.ptr, version + p->held, n) != 0)
		return HTTP1_OPTIONAL_BODY;
	if (p->held + n == VERSION_LEN)
		return HTTP1_OPTIONAL_MESSAGE;
	p->held += (uint8_t)n;
	return HTTP1_OPTIONAL_HELD;
}

struct span http1_optional_take(struct http1 *p)
{
	struct span held = {version, p->held};

	p->held = 0;
	p->is_body_optional = false;
	return held;
}
