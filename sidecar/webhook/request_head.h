/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1 request, read as strictly as RFC 9112 allows: a server
 * behind which nobody sits, and which no browser asks, gains nothing from
 * repairing what a client got wrong, and every repair is a way to smuggle.
 *
 * Refused are: a line that ends in LF alone, or has CR inside; a folded field
 * (obs-fold); a control character anywhere, NUL included; blanks before the
 * colon; a target that is neither a path nor an absolute URI; no Host in
 * HTTP/1.1, or two; Content-Length twice, as a list, or with
 * Transfer-Encoding; Transfer-Encoding in HTTP/1.0, or other than "chunked".
 */
#ifndef SIDELIGHT_WEBHOOK_REQUEST_HEAD_H
#define SIDELIGHT_WEBHOOK_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define REQUEST_HEAD_BYTES_MAX 16384
#define REQUEST_FIELDS_MAX     100

/* Bytes [at, at + len) of the request; len 0: absent. */
struct request_part {
	uint32_t at;
	uint32_t len;
};

/*
 * Zeroed before the first call for a request. All members but the first four are
 * valid once request_head_read() has returned the size of the head.
 */
struct request_head {
	uint32_t line; /* start of the first line that is not read yet */
	uint32_t scanned; /* bytes that were searched for the end of that line */
	unsigned field_count;
	unsigned status; /* why the head is refused, as an HTTP status; or 0 */

	struct request_part method;
	struct request_part path; /* without query */
	struct request_part content_type;
	unsigned minor; /* HTTP/1.minor; 0 or 1 */
	uint64_t content_length; /* 0 if there is no such field */
	bool has_length;
	bool has_host;
	bool is_chunked;
	bool has_encoding; /* a Transfer-Encoding, whatever it is */
	bool wants_close;
	bool wants_keep_alive;
	bool expects_continue;
};

/*
 * bytes is all of the request that has arrived, from its first byte on; each
 * call has what the last one had, and more. Returns the size of the head
 * (> 0), 0 if there must be more of it, or -1 if it is refused with h->status:
 * 400, 417, 431, 501 or 505. After a refusal the connection must be closed,
 * since nobody knows where the next request starts.
 */
int request_head_read(struct request_head *h, struct span bytes);

/* May the connection serve another request after this one? */
static inline bool request_head_keeps(const struct request_head *h)
{
	return !h->wants_close && (h->minor >= 1 || h->wants_keep_alive);
}

#endif
