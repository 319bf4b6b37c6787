/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static table and the dynamic table of one direction (RFC 7541 section 2.3 and appendix A).
 *
 *   index   1 ... 61                 62                          61 + count
 *           static entries           the newest entry   ...      the oldest entry
 *
 * Entries are inserted at one end and evicted at the other. Their strings are contiguous in a
 * buffer that is allocated twice as large as its content. When it is full, the remaining strings
 * move to a new buffer, so that each byte moves about once.
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

/* The memory accounts of the tables of one connection. It must outlive them. */
struct http2_memory {
	struct memory_account *account; /* borrowed */
	size_t *total; /* bytes of all tables of all connections; borrowed */
};

struct http2_field {
	struct span name;
	struct span value;
};

extern const struct http2_field http2_static_table[HTTP2_STATIC_ENTRIES];
/*
 * The length of the name by the first byte of an indexed field with a static entry (section 6.1); 0
 * for all other bytes.
 */
extern const uint8_t http2_static_names[UINT8_MAX + 1];

struct http2_entry {
	uint32_t at; /* offset of its name in bytes; its value follows */
	uint32_t name; /* length of the name */
	uint32_t value; /* length of the value */
};

/* The dynamic table. Invariant: used <= the size of the last insertion or eviction. */
struct http2_table {
	struct http2_entry *ring; /* owned */
	char *bytes; /* owned */
	uint32_t ring_size; /* capacity in entries; a power of two, or 0 */
	uint32_t oldest; /* number of the oldest entry; its slot is the number modulo ring_size */
	uint32_t count; /* entries */
	uint32_t room; /* capacity of bytes */
	uint32_t end; /* end of the newest entry in bytes */
	uint32_t used; /* size of all entries as the RFC counts (section 4.1) */
};

/* Frees all memory and leaves the table empty. Accepts all zeros. */
void http2_table_release(struct http2_table *t, struct http2_memory *m);

/* Evicts entries until the table has at most this size. */
void http2_table_shrink(struct http2_table *t, uint32_t size);

/*
 * Inserts an entry into a table of this size after evicting others. An entry that is larger empties
 * the table (section 4.4). name and value may point into this table. Returns 0, or -ENOMEM: then
 * nothing is inserted.
 */
int http2_table_insert(struct http2_table *t, struct http2_memory *m, uint32_t size,
		       const struct http2_field *f);

/* The entry at depth 1 (the newest) to count. Borrowed until the table changes. */
static inline struct http2_field http2_table_entry(const struct http2_table *t, uint32_t depth)
{
	const struct http2_entry *e = &t->ring[(t->oldest + t->count - depth) & (t->ring_size - 1)];

	return (struct http2_field){{t->bytes + e->at, e->name},
				    {t->bytes + e->at + e->name, e->value}};
}

#endif
