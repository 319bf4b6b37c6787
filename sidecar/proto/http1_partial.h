/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head that spans several segments: its bytes so far, in memory of its own.
 *
 * Invariants, true between any two calls:
 *   - len <= HTTP1_HEAD_MAX, for any input;
 *   - buf[line, len) is the line that has not ended yet;
 *   - once is_reported, head() was called, `line` is 0, and the parser looks only for the
 *     fields that frame the body, line by line, until the head ends.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_PARTIAL_H
#define SIDELIGHT_PROTO_HTTP1_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "proto/http1.h"
#include "proto/http1_head.h"

struct http1_partial {
	uint64_t time_ns; /* time of its first byte */
	uint32_t len;
	uint32_t alloc;
	uint32_t line;
	bool is_reported;
	/* reported: bytes were skipped, so the head ends only where a segment does */
	bool is_unframed;
	/* reported: bytes of the line in buf were dropped, or it is the rest of a start line */
	bool is_long_line;
	enum http1_body body; /* reported: the result of head() */
	struct http1_framing framing; /* reported: from the fields so far */
	char *buf;
	struct memory_account *memory; /* charged for both allocations; borrowed; may be NULL */
};

enum http1_partial_result {
	HTTP1_PARTIAL_MORE,
	HTTP1_PARTIAL_DONE, /* the head is complete; if not reported, all of it is in buf */
	HTTP1_PARTIAL_FULL, /* not reported, at the limit: call http1_partial_report() */
	HTTP1_PARTIAL_BAD, /* not reported: no start line */
};

/* Returns NULL if there is no memory. */
struct http1_partial *http1_partial_new(struct memory_account *memory, uint64_t time_ns);
/* Accepts NULL. */
void http1_partial_free(struct http1_partial *part);

/*
 * Adds the next bytes, up to the end of the head; *ret_used is their number. Returns -ENOMEM or an
 * enum http1_partial_result.
 */
int http1_partial_add(struct http1_partial *part, struct span data, bool is_response,
		      size_t *ret_used);

/*
 * Parses the buffered head, continuation lines joined. is_truncated: as
 * http1_head_parse_truncated().
 */
enum http1_head_result http1_partial_parse(struct http1_partial *part, bool is_response,
					   bool is_truncated, struct http1_head *ret_head);

/*
 * Marks the head as reported: from now on only its end and the framing fields matter. body is the
 * result of head().
 */
void http1_partial_report(struct http1_partial *part, const struct http1_framing *framing,
			  enum http1_body body);

/* Bytes of a reported head were skipped. */
void http1_partial_skip(struct http1_partial *part);

#endif
