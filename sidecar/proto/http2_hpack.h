/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks of one direction into fields: HPACK (RFC 7541), decoded by libnghttp2, also where
 * the beginning of the direction was not seen.
 *
 * Why an answer is never wrong, only unknown. The index of a dynamic entry counts from the newest
 * one, and entries leave at the other end (RFC 7541 sections 2.3.2 and 2.3.3). So whatever we keep
 * answers right, as long as
 *   - no block was missed since it was inserted; else the table is emptied (http2_hpack_forget);
 *   - we do not drop an entry before the peer does: then what is behind it answers for nothing.
 * For the second, entries that we do not know are empty names and values of 32 bytes, the least
 * that one can take; ours is at least as large as the peer's; and where the peer's size is not
 * known, it grows before an entry comes that could be larger than all of ours. An index behind the
 * oldest entry is of one that was inserted unseen: unknown entries are added there.
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

#include <nghttp2/nghttp2.h>

#include "base/memory.h"
#include "base/span.h"

/*
 * Where the header tables of one connection take their memory. To be initialised with
 * http2_memory_init(), must outlive the tables, and must not move.
 */
struct http2_memory {
	struct memory_account *account; /* borrowed */
	size_t *total; /* bytes that all tables of all connections take; borrowed */
	nghttp2_mem hooks;
};

void http2_memory_init(struct http2_memory *m, struct memory_account *account, size_t *total);

/* The least size of a table of ours that takes any entry of two strings of 64 KiB, libnghttp2's
 * limit: no size that a peer chooses is larger, as far as we keep entries. */
#define HTTP2_TABLE_MAX (132u << 10)
/* Unknown entries: more do not fit in a table of 64 KiB. */
#define HTTP2_UNKNOWN_MAX 2048

/* Zeroed with its memory set, it is that of a direction seen from its start. */
struct http2_hpack {
	struct http2_memory *memory;
	nghttp2_hd_inflater *inflater; /* owned; NULL: nothing was decoded yet */
	uint32_t size; /* of our table, in HPACK's bytes; 0: HTTP/2's initial 4096 */
	bool is_unsure; /* the peer's table may be larger */
};

/* Accepts a zeroed one. */
void http2_hpack_release(struct http2_hpack *h);

/* A block was missed: nothing is known of the table any more. */
void http2_hpack_forget(struct http2_hpack *h);

/* One field, borrowed during the call. An empty name: the field is not known. */
typedef void (*http2_field_fn)(void *ctx, struct span name, struct span value);

/*
 * One whole header block. *ret_is_pure: it changed nothing in the table, so the same bytes mean the
 * same until a block comes that does. Returns 0, -EBADMSG if it is no header block, or -ENOMEM;
 * then the table is forgotten.
 */
int http2_hpack_decode(struct http2_hpack *h, struct span block, http2_field_fn fn, void *ctx,
		       bool *ret_is_pure);

#endif
