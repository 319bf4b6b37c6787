/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks of one direction into fields: HPACK (RFC 7541), also where the beginning of the
 * direction was not seen.
 *
 * Why an answer is never wrong, only unknown. The index of a dynamic entry counts from the newest
 * one, and entries leave at the other end (RFC 7541 sections 2.3.2 and 2.3.3). So whatever we keep
 * answers right, as long as no block was missed since it was inserted; else the table is emptied
 * (http2_hpack_forget). An index behind the oldest entry is of one that was inserted unseen, or
 * that we evicted and the peer did not: its field is unknown. That the second happens seldom,
 * our table is at least as large as the peer's: an index behind the oldest entry tells that the
 * peer has at least so many, of the least size that one can have; and where the peer's size is not
 * known, it grows before an entry comes that is larger than all of ours.
 *
 * SETTINGS_HEADER_TABLE_SIZE only limits what the peer may choose; what it chose it must say
 * itself, at the start of a block, before it uses it (RFC 7541 section 4.2). So the setting, and
 * when its acknowledgement takes effect, change nothing for a reader: it is not followed.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_HPACK_H
#define SIDELIGHT_PROTO_HTTP2_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http2_table.h"

/* Our table is not larger: it takes any entry of two strings of 64 KiB. */
#define HTTP2_TABLE_MAX (132u << 10)
/* No index is further behind: more entries do not fit in a table of 64 KiB. */
#define HTTP2_UNKNOWN_MAX 2048

/* Zeroed with its memory set, it is that of a direction seen from its start. */
struct http2_hpack {
	struct http2_memory *memory;
	struct http2_table table;
	uint32_t size; /* of our table, in HPACK's bytes; valid if has_size, else HTTP/2's 4096 */
	bool has_size;
	bool is_unsure; /* the peer's table may be larger */
};

/* Accepts a zeroed one. */
void http2_hpack_release(struct http2_hpack *h);

/* A block was missed: nothing is known of the table any more. */
void http2_hpack_forget(struct http2_hpack *h);

#define HTTP2_ALL_LENGTHS UINT64_MAX

/* Who gets the fields of a block. */
struct http2_fields {
	/* One field, borrowed during the call. An empty name: the field is not known. */
	void (*fn)(void *ctx, struct span name, struct span value);
	void *ctx;
	/* By bit n: fields whose names have n bytes are wanted. Those with longer names always are;
	 * bit 0, for fields that are not known, is set. */
	uint64_t lengths;
};

/*
 * One whole header block. *ret_is_pure: it changed nothing in the table, so the same bytes mean the
 * same until a block comes that does. Returns 0, -EBADMSG if it is no header block, or -ENOMEM;
 * then the table is forgotten.
 */
int http2_hpack_decode(struct http2_hpack *h, struct span block, const struct http2_fields *fields,
		       bool *ret_is_pure);

#endif
