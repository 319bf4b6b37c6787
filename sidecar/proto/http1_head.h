/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One head, whole in memory: start line and field lines (RFC 9112 sections 3 to 5).
 *
 * Nothing is copied: the spans of the message point into the input. Field lines that are not
 * understood are passed over, as servers do that answer them with 400: the message is counted
 * all the same.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_HEAD_H
#define SIDELIGHT_PROTO_HTTP1_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/message.h"

/* Longest method that is taken for one; the longest registered has 17 characters. */
#define HTTP1_METHOD_MAX 64

/* What the fields say about the body. */
struct http1_framing {
	uint64_t length; /* Content-Length, if has_length */
	bool has_length;
	bool is_bad_length; /* no number, or several that differ */
	bool has_coding; /* Transfer-Encoding, other than identity */
	bool is_chunked; /* ... whose last coding is chunked */
	bool has_nul; /* a NUL byte somewhere in the head */
};

struct http1_head {
	struct message m; /* time_ns is left to the caller */
	struct http1_framing framing;
	size_t len; /* bytes of the head, its empty line included */
	uint64_t whole; /* ... and of its body, as the head alone tells it; 0: see framing */
};

enum http1_head_result {
	HTTP1_HEAD_DONE,
	HTTP1_HEAD_MORE, /* no empty line within HTTP1_HEAD_MAX bytes of the input */
	HTTP1_HEAD_FOLDED, /* a field goes on over lines: http1_head_unfold(), and again */
	HTTP1_HEAD_BAD, /* the start line is none */
};

/* 1xx, 204 and 304 have no body, whatever their fields say (RFC 9112 section 6.3, item 1). */
static inline bool http1_is_bodyless(uint16_t status)
{
	return status < 200 || status == 204 || status == 304;
}

/* The head at the beginning of in. *h is meaningful when the answer is DONE. */
enum http1_head_result http1_head_parse(struct http1_head *h, struct span in, bool is_response);

/*
 * What is known of a head that was cut off after in: like http1_head_parse(), but the end of in
 * ends the head. The line it ends in is dropped, except for a start line.
 */
enum http1_head_result http1_head_parse_cut(struct http1_head *h, struct span in, bool is_response);

/* Replaces the line ends before continuation lines by spaces (RFC 9112 section 5.2). */
void http1_head_unfold(char *buf, size_t len);

/* One more field line, without its line end, for its framing only. */
void http1_head_field(struct http1_framing *f, struct span line);

/* Can s be the beginning of a start line? If s holds a whole line: is it one? */
bool http1_head_starts(struct span s, bool is_response);

/* Is a whole start line at the beginning of s, not only what could become one? */
bool http1_head_has_start(struct span s, bool is_response);

#endif
