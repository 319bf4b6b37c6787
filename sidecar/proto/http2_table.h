/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header table of one direction: static and dynamic (RFC 7541 section 2.3 and appendix A).
 *
 *   index   1 ... 61                 62                          61 + count
 *           static entries           the newest one   ...        the oldest one
 *
 * Entries are inserted at one end and evicted at the other. Their strings stand one behind the
 * other in a buffer that has twice the room which they took when it was made; when it is full,
 * those that are left move to a new one, so that no byte of an entry moves more than about once.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_TABLE_H
#define SIDELIGHT_PROTO_HTTP2_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"

#define HTTP2_STATIC_ENTRIES 61
#define HTTP2_ENTRY_OVERHEAD 32 /* section 4.1 */

/* Where the tables of one connection take their memory. Must outlive them. */
struct http2_memory {
	struct memory_account *account; /* borrowed */
	size_t *total; /* bytes that all tables of all connections take; borrowed */
};

struct http2_field {
	struct span name;
	struct span value;
};

extern const struct http2_field http2_static_table[HTTP2_STATIC_ENTRIES];
/* Lengths of their names by the byte that encodes such a field (section 6.1); 0: no other does. */
extern const uint8_t http2_static_names[UINT8_MAX + 1];

struct http2_entry {
	uint32_t at; /* where its name begins in the bytes; its value follows */
	uint32_t name; /* length */
	uint32_t value; /* likewise */
};

/* The dynamic table. Invariant: used <= the size that it was given last. */
struct http2_table {
	struct http2_entry *ring; /* owned */
	char *bytes; /* owned */
	uint32_t ring_size; /* entries for which there is room; a power of two, or 0 */
	uint32_t oldest; /* its place in the ring is the number's rest by ring_size */
	uint32_t count; /* entries */
	uint32_t room; /* of bytes */
	uint32_t end; /* of the newest entry in them */
	uint32_t used; /* size of all entries as the RFC counts it (section 4.1) */
};

/* Frees what it owns, and leaves it empty. Accepts a zeroed one. */
void http2_table_release(struct http2_table *t, struct http2_memory *m);

/* Evicts entries until they have at most this size. */
void http2_table_shrink(struct http2_table *t, uint32_t size);

/*
 * Inserts an entry into a table of this size, after it has evicted others for it; one that is
 * larger leaves the table empty (section 4.4). name and value may be those of an entry of this
 * table. Returns 0, or -ENOMEM; then the table is as it was, but for what was evicted.
 */
int http2_table_insert(struct http2_table *t, struct http2_memory *m, uint32_t size,
		       const struct http2_field *f);

/* depth: 1 for the newest entry, at most count. Borrowed until the table changes. */
static inline struct http2_field http2_table_entry(const struct http2_table *t, uint32_t depth)
{
	const struct http2_entry *e = &t->ring[(t->oldest + t->count - depth) & (t->ring_size - 1)];

	return (struct http2_field){{t->bytes + e->at, e->name},
				    {t->bytes + e->at + e->name, e->value}};
}

#endif
