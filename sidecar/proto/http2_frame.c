/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_frame.h"

/* SETTINGS_MAX_FRAME_SIZE is initially 16 KiB. Peers that raise it do so for large DATA frames. */
#define USUAL_MAX (16u << 10)
#define DATA_MAX  (1u << 20)

bool http2_frame_is_likely(const void *bytes)
{
	static const uint8_t flags[] = {
		[HTTP2_DATA] = HTTP2_FLAG_END_STREAM | HTTP2_FLAG_PADDED,
		[HTTP2_HEADERS] = HTTP2_FLAG_END_STREAM | HTTP2_FLAG_END_HEADERS |
				  HTTP2_FLAG_PADDED | HTTP2_FLAG_PRIORITY,
		[HTTP2_PRIORITY] = 0,
		[HTTP2_RST_STREAM] = 0,
		[HTTP2_SETTINGS] = HTTP2_FLAG_ACK,
		[HTTP2_PUSH_PROMISE] = HTTP2_FLAG_END_HEADERS | HTTP2_FLAG_PADDED,
		[HTTP2_PING] = HTTP2_FLAG_ACK,
		[HTTP2_GOAWAY] = 0,
		[HTTP2_WINDOW_UPDATE] = 0,
		[HTTP2_CONTINUATION] = HTTP2_FLAG_END_HEADERS,
	};
	const uint8_t *b = bytes;
	struct http2_frame f;

	if (b[3] >= sizeof(flags) || b[0] > DATA_MAX >> 16 || b[4] & ~flags[b[3]] || b[5] & 0x80)
		return false;
	f = http2_frame_read(bytes);
	/*
	 * Streams of clients are odd. Pushed streams are even, and clients no longer support push.
	 */
	if (f.stream && f.stream % 2 == 0)
		return false;
	return f.len <= (f.type == HTTP2_DATA ? DATA_MAX : USUAL_MAX) && http2_frame_is_allowed(&f);
}

unsigned http2_frame_chain(const char *data, size_t len, size_t *ret_end)
{
	unsigned count = 0;
	size_t at = 0;

	while (at < len && len - at >= HTTP2_FRAME_HEAD) {
		if (!http2_frame_is_likely(data + at))
			return 0;
		count++;
		at += HTTP2_FRAME_HEAD + http2_frame_read(data + at).len;
	}
	*ret_end = at;
	return count;
}
