/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head that did not come in one piece: its bytes so far, in memory of its own.
 *
 * Invariants, true between any two calls:
 *   - len <= HTTP1_HEAD_MAX, whatever arrives;
 *   - buf[line, len) is the line that has not ended yet;
 *   - once is_reported, head() was called, `line` is 0, and only the fields that frame the
 *     body are still looked for, line by line, until the head ends.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_PARTIAL_H
#define SIDELIGHT_PROTO_HTTP1_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "proto/http1.h"
#include "proto/http1_head.h"

struct http1_partial {
	uint64_t time_ns; /* when its first byte was seen */
	uint32_t len;
	uint32_t alloc;
	uint32_t line;
	bool is_reported;
	bool is_blind; /* reported: bytes of it were skipped, so it ends only where a piece does */
	bool is_long_line; /* reported: the line in buf lost bytes, or is a start line's rest */
	enum http1_body body; /* reported: the answer */
	struct http1_framing framing; /* reported: as far as known */
	char *buf;
	struct memory_account *memory; /* that it is charged to; borrowed; may be NULL */
};

enum http1_partial_result {
	HTTP1_PARTIAL_MORE,
	HTTP1_PARTIAL_DONE, /* the head has ended; if not reported, all of it is in buf */
	HTTP1_PARTIAL_FULL, /* not reported, over the limit: http1_partial_report() it */
	HTTP1_PARTIAL_BAD, /* not reported: it does not begin with a start line */
};

/* NULL if memory is short. */
struct http1_partial *http1_partial_new(struct memory_account *memory, uint64_t time_ns);
/* NULL is fine. */
void http1_partial_free(struct http1_partial *part);

/* Takes the next bytes up to the end of the head, and says in *ret_used how many those were.
 * -ENOMEM, or an http1_partial_result. */
int http1_partial_add(struct http1_partial *part, struct span data, bool is_response,
		      size_t *ret_used);

/* The whole head in part, continuation lines joined. */
enum http1_head_result http1_partial_parse(struct http1_partial *part, bool is_response,
					   bool is_cut, struct http1_head *ret_head);

/* From now on only its end and its framing are awaited; `body` is what head() answered. */
void http1_partial_report(struct http1_partial *part, const struct http1_framing *framing,
			  enum http1_body body);

/* Bytes of a reported head passed unseen. */
void http1_partial_skip(struct http1_partial *part);

#endif
