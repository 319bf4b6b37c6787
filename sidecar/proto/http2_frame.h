/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers of HTTP/2 (RFC 9113 sections 4.1 and 6), and tests for plausible ones. */
#ifndef SIDELIGHT_PROTO_HTTP2_FRAME_H
#define SIDELIGHT_PROTO_HTTP2_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP2_PREFACE	   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HTTP2_PREFACE_SIZE 24
#define HTTP2_FRAME_HEAD   9

enum http2_type {
	HTTP2_DATA = 0,
	HTTP2_HEADERS = 1,
	HTTP2_PRIORITY = 2,
	HTTP2_RST_STREAM = 3,
	HTTP2_SETTINGS = 4,
	HTTP2_PUSH_PROMISE = 5,
	HTTP2_PING = 6,
	HTTP2_GOAWAY = 7,
	HTTP2_WINDOW_UPDATE = 8,
	HTTP2_CONTINUATION = 9,
};

enum {
	HTTP2_FLAG_ACK = 0x1,
	HTTP2_FLAG_END_STREAM = 0x1,
	HTTP2_FLAG_END_HEADERS = 0x4,
	HTTP2_FLAG_PADDED = 0x8,
	HTTP2_FLAG_PRIORITY = 0x20,
};

struct http2_frame {
	uint32_t len; /* of the payload */
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
};

/* Reads HTTP2_FRAME_HEAD bytes. Ignores the reserved bit, as the RFC requires. */
static inline struct http2_frame http2_frame_read(const void *bytes)
{
	const uint8_t *b = bytes;
	uint32_t first = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	uint32_t last = (uint32_t)b[5] << 24 | (uint32_t)b[6] << 16 | (uint32_t)b[7] << 8 | b[8];

	return (struct http2_frame){
		.len = first >> 8,
		.type = (uint8_t)first,
		.flags = b[4],
		.stream = last & 0x7fffffff,
	};
}

/*
 * True if a peer may send this frame; false if the RFC requires a connection error. Unknown types
 * are allowed.
 */
static inline bool http2_frame_is_allowed(const struct http2_frame *f)
{
	if (f->type <= HTTP2_HEADERS) /* DATA or HEADERS, as nearly all frames are */
		return f->stream != 0;
	switch (f->type) {
	case HTTP2_PUSH_PROMISE:
	case HTTP2_CONTINUATION:
		return f->stream != 0;
	case HTTP2_PRIORITY:
		return f->stream != 0 && f->len == 5;
	case HTTP2_RST_STREAM:
		return f->stream != 0 && f->len == 4;
	case HTTP2_SETTINGS:
		return f->stream == 0 && f->len % 6 == 0 &&
		       (f->len == 0 || !(f->flags & HTTP2_FLAG_ACK));
	case HTTP2_PING:
		return f->stream == 0 && f->len == 8;
	case HTTP2_GOAWAY:
		return f->stream == 0 && f->len >= 8;
	case HTTP2_WINDOW_UPDATE:
		return f->len == 4;
	default:
		return true;
	}
}

/*
 * True if nine bytes from an arbitrary position look like a frame header: allowed, without
 * undefined flags, and of a usual length. Of random bytes, one position in a million does.
 */
bool http2_frame_is_likely(const void *bytes);

/*
 * Counts the headers of likely frames that follow one another from data[0] on; 0 if one of them is
 * not likely. *ret_end is the offset of the next header, which may be after the data.
 */
unsigned http2_frame_chain(const char *data, size_t len, size_t *ret_end);

#endif
