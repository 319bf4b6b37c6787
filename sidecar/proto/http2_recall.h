/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of a direction's dynamic table that were inserted before we joined, from header lists:
 * what the program itself has decoded from, or is going to encode to, a block of this direction.
 *
 *   block   :method POST   ?            ?              grpc-timeout 1S     what we decode
 *   list    :method POST   :path /a/b   te trailers    grpc-timeout 1S     what the program has
 *
 * A list belongs to the block of the same stream with the same END_STREAM: a stream has one with
 * and one without at most, other than interim responses. It is believed only if it has as many
 * fields as the block, and all that we have decoded are the same. Then the unknown ones are known,
 * and so are their entries, by which they are known in all later blocks.
 *
 * Entries are numbered in the order of insertion, modulo 2^32, as struct http2_table numbers its
 * own: those before the first one that we have seen have negative numbers. A number means the same
 * entry until a block is missed.
 *
 * A block may come before its list and after it. Both are kept for a while, and bounded.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_RECALL_H
#define SIDELIGHT_PROTO_HTTP2_RECALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "proto/http2_table.h"

/* Longer lists are not taken. */
#define HTTP2_LIST_FIELDS_MAX 64
#define HTTP2_LIST_BYTES_MAX  4096

/* The fields of one block, in order: of each the lengths of its name and of its value, 16 bits in
 * the machine's order, and both strings. */
struct http2_list {
	uint32_t stream;
	bool is_end; /* END_STREAM */
	struct span text; /* borrowed */
};

/* Takes the first field off the text. False: there is none, or it is malformed. */
bool http2_list_next(struct span *text, struct http2_field *ret_field);

/* What becomes of a list. */
enum http2_recalled {
	HTTP2_RECALLED_LEARNED, /* fields are known now that were not */
	HTTP2_RECALLED_UNNEEDED, /* its block had no unknown field, or did not come */
	HTTP2_RECALLED_MISMATCH, /* it is not that of its block */
	HTTP2_RECALLED_DROPPED, /* it is malformed, or there is no memory */
	HTTP2_RECALLED_MAX,
};

struct http2_recall;

/*
 * NULL: no memory. Whatever it allocates is charged to the account. counts: HTTP2_RECALLED_MAX of
 * them, to which each list is added when its end is known. Both are borrowed.
 */
struct http2_recall *http2_recall_new(struct memory_account *memory, uint64_t *counts);
/* Accepts NULL. */
void http2_recall_free(struct http2_recall *r);

/* A block was missed: forgets all entries, lists and blocks. */
void http2_recall_forget(struct http2_recall *r);

/* --- while a block is decoded ----------------------------------------------------- */

void http2_recall_begin(struct http2_recall *r);
/*
 * The next field of the block refers to the entry of this number, which is not in the table: to the
 * name alone, or to both. Returns true if it is known; *ret_field is borrowed until the block ends.
 */
bool http2_recall_find(struct http2_recall *r, uint32_t number, bool is_name_only,
		       struct http2_field *ret_field);
/* A field of the block. Where find() has failed, an empty name. */
void http2_recall_field(struct http2_recall *r, struct span name, struct span value);
/* That field, of which only the name was not found, has the entry of this number now. */
void http2_recall_inserted(struct http2_recall *r, uint32_t number);
/*
 * The block is complete. Returns its list if fields were not found and the list has them, borrowed
 * until the next call; else NULL.
 */
const struct http2_list *http2_recall_end(struct http2_recall *r, uint32_t stream, bool is_end);

/* --------------------------------------------------------------------------------- */

/* A list of the direction; its text is copied. Returns whether fields are known now that were not.
 */
bool http2_recall_add(struct http2_recall *r, const struct http2_list *list);

#endif
