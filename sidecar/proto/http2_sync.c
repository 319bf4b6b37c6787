/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_sync.h"

#include "proto/http2_frame.h"

/* Returns the offset of the candidate's next header, if it is valid and in this segment. */
static size_t follow(struct http2_sync *s, struct span data)
{
	size_t at = s->ahead;
	size_t end;

	if (at >= data.len) {
		s->ahead -= (uint32_t)data.len;
		return HTTP2_SYNC_NONE;
	}
	/* A truncated header cannot confirm the candidate. */
	if (!http2_frame_chain(data.ptr + at, data.len - at, &end)) {
		s->headers = 0;
		return HTTP2_SYNC_NONE;
	}
	return at;
}

static bool is_confirmed(unsigned headers, size_t at, bool is_exact, bool is_http2)
{
	if (is_http2)
		return headers >= 2 || (at == 0 && is_exact);
	return headers >= 3 || (headers == 2 && is_exact);
}

size_t http2_sync_find(struct http2_sync *s, struct span data, bool is_http2)
{
	size_t found;

	if (s->headers) {
		found = follow(s, data);
		if (found != HTTP2_SYNC_NONE)
			return found;
	}
	for (size_t at = 0; at + HTTP2_FRAME_HEAD <= data.len; at++) {
		struct span rest = span_from(data, at);
		unsigned headers;
		size_t end;

		if (!http2_frame_is_likely(rest.ptr))
			continue;
		headers = http2_frame_chain(rest.ptr, rest.len, &end);
		if (!headers)
			continue;
		if (is_confirmed(headers, at, end == rest.len, is_http2))
			return at;
		if (!s->headers && end >= rest.len) {
			s->headers = headers;
			s->ahead = (uint32_t)(end - rest.len);
		}
	}
	return HTTP2_SYNC_NONE;
}

void http2_sync_skip(struct http2_sync *s, uint64_t len)
{
	if (len > s->ahead)
		s->headers = 0;
	else
		s->ahead -= (uint32_t)len;
}
