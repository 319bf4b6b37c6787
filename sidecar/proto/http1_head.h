/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses one complete head: start line and field lines (RFC 9112 sections 3 to 5).
 *
 * Nothing is copied: the spans of the message point into the input. The parser ignores malformed
 * field lines. Servers answer them with 400, and such a request counts, too.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_HEAD_H
#define SIDELIGHT_PROTO_HTTP1_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/message.h"

/* The longest accepted method; the longest registered one has 17 characters. */
#define HTTP1_METHOD_MAX 64

/* The fields that frame the body. */
struct http1_framing {
	uint64_t length; /* Content-Length, if has_length */
	bool has_length;
	bool is_bad_length; /* not a number, or several that differ */
	bool has_coding; /* Transfer-Encoding, other than identity */
	bool is_chunked; /* the last coding is chunked */
	bool has_nul; /* the head contains a NUL byte */
};

struct http1_head {
	struct message m; /* the caller sets time_ns */
	struct http1_framing framing;
	size_t len; /* bytes of the head, the empty line included */
	/* Bytes of head and body together; 0: the head alone does not determine it. */
	uint64_t message_len;
};

enum http1_head_result {
	HTTP1_HEAD_DONE,
	HTTP1_HEAD_MORE, /* the input has no empty line within HTTP1_HEAD_MAX bytes */
	/* A field continues on the next line: call http1_head_unfold(), then parse again. */
	HTTP1_HEAD_FOLDED,
	HTTP1_HEAD_BAD, /* the start line is malformed */
};

/* 1xx, 204 and 304 have no body, whatever their fields say (RFC 9112 section 6.3, item 1). */
static inline bool http1_is_bodyless(uint16_t status)
{
	return status < 200 || status == 204 || status == 304;
}

/* Parses the head at the beginning of in. *h is valid if the result is HTTP1_HEAD_DONE. */
enum http1_head_result http1_head_parse(struct http1_head *h, struct span in, bool is_response);

/*
 * Like http1_head_parse(), but the head is truncated at the end of in. An unfinished field line is
 * dropped; an unfinished start line is parsed as far as it goes.
 */
enum http1_head_result http1_head_parse_truncated(struct http1_head *h, struct span in,
						  bool is_response);

/* Replaces line ends before continuation lines by spaces (RFC 9112 section 5.2). */
void http1_head_unfold(char *buf, size_t len);

/* Adds one field line, without its line end, to the framing. Other fields are ignored. */
void http1_head_field(struct http1_framing *f, struct span line);

/* True if s can be the beginning of a start line or, if s contains a complete line, is one. */
bool http1_head_starts(struct span s, bool is_response);

/* True if s begins with a complete start line, line end included. */
bool http1_head_has_start(struct span s, bool is_response);

/*
 * True if s begins like an HTTP/1 start line, or is too short to exclude it. Used to tell requests
 * from responses on a connection whose opening was not seen.
 */
static inline bool http1_is_request(struct span s)
{
	return http1_head_starts(s, false);
}
static inline bool http1_is_response(struct span s)
{
	return http1_head_starts(s, true);
}

#endif
