/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes the header blocks of one direction with HPACK (RFC 7541), even if the beginning of the
 * direction was not seen.
 *
 * A decoded field is never wrong, only unknown. An index into the dynamic table counts from the
 * newest entry, and entries are evicted at the other end (RFC 7541 sections 2.3.2 and 2.3.3). An
 * entry in our table is therefore correct as long as no block was missed since its insertion; after
 * a missed block the table is emptied (http2_hpack_forget()). An index beyond our oldest entry
 * refers to an entry that was inserted before we joined, or that we evicted and the peer did not:
 * its field is unknown. To make the second case rare, our table is at least as large as the peer's.
 * An index beyond the oldest entry proves that the peer has at least that many entries, of the
 * minimal entry size each. While the peer's size is not known, our table also grows before an entry
 * is inserted that is larger than the table.
 *
 * SETTINGS_HEADER_TABLE_SIZE only limits the size that the peer may choose. The peer announces its
 * choice at the start of a block before it uses it (RFC 7541 section 4.2). A passive decoder
 * therefore does not need the setting, nor the time of its acknowledgement.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_HPACK_H
#define SIDELIGHT_PROTO_HTTP2_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http2_table.h"

struct http2_recall;

/* The maximum size of our table: it has room for any entry of two strings of 64 KiB. */
#define HTTP2_TABLE_MAX (132u << 10)
/* The maximum distance of an index beyond our table: a table of 64 KiB has no more entries. */
#define HTTP2_UNKNOWN_MAX 2048

/* All zeros but for memory, it is at the start of a direction. */
struct http2_hpack {
	struct http2_memory *memory;
	struct http2_recall
		*recall; /* borrowed; NULL: entries from before we joined stay unknown */
	struct http2_table table;
	/* Of our table, as RFC 7541 counts; valid if has_size, else the initial 4096. */
	uint32_t size;
	bool has_size;
	bool may_be_larger; /* the peer's table may be larger than ours */
};

/* Accepts all zeros. */
void http2_hpack_release(struct http2_hpack *h);

/* A block was missed: empties the table. */
void http2_hpack_forget(struct http2_hpack *h);

#define HTTP2_ALL_LENGTHS UINT64_MAX

/* The receiver of the fields of a block. */
struct http2_fields {
	/* Called for each field; the spans are borrowed. An empty name: the field is unknown. */
	void (*fn)(void *ctx, struct span name, struct span value);
	void *ctx;
	/*
	 * Bit n: fields whose names have n bytes are wanted. Fields with longer names always are.
	 * Bit 0, which stands for unknown fields, is set.
	 */
	uint64_t lengths;
};

/*
 * Decodes one complete header block. *ret_is_table_unchanged: the same bytes have the same meaning
 * until the next block that changes the table. Returns 0, -EBADMSG if the block is malformed, or
 * -ENOMEM; after an error the table is empty.
 */
int http2_hpack_decode(struct http2_hpack *h, struct span block, const struct http2_fields *fields,
		       bool *ret_is_table_unchanged);

#endif
