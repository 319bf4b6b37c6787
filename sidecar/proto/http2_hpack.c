/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_hpack.h"

#include <errno.h>
#include <string.h>

#include "proto/http2_huffman.h"
#include "proto/http2_recall.h"

#define STRING_MAX (64u << 10) /* the longest accepted string */
/* smaller lengths take one byte; with the Huffman flag, the byte is larger (section 5.2) */
#define SHORT	    127
#define LITERAL_MAX (3 + 2 * (SHORT - 1))
/* first byte of an indexed field, minus the depth of its dynamic entry */
#define FIRST_DYNAMIC (0x80 | HTTP2_STATIC_ENTRIES)
#define INITIAL_SIZE  4096 /* RFC 9113 section 6.5.2 */
#define INT_MAX_BYTES 6 /* the longest encoding of an index or a length below 2^32 */

/* A block while it is decoded. */
struct block {
	struct http2_hpack *h;
	const struct http2_fields *fields;
	const uint8_t *end;
	bool is_table_unchanged;
};

/* Buffers for decoded Huffman strings. */
static char names_room[HTTP2_HUFFMAN_ROOM(STRING_MAX)];
static char values_room[HTTP2_HUFFMAN_ROOM(STRING_MAX)];

/* A decoded integer; returned in registers. */
struct number {
	const uint8_t *next; /* the byte after it; NULL: malformed */
	uint32_t value;
};

/* Decodes an integer that does not fit into its prefix; n is the value of the prefix. */
static __attribute__((noinline)) struct number read_long_int(const uint8_t *p, const uint8_t *end,
							     uint64_t n)
{
	size_t left = (size_t)(end - p);
	size_t at = 1;

	do {
		if (at == left || at == INT_MAX_BYTES)
			return (struct number){NULL, 0};
		n += (uint64_t)(p[at] & 0x7f) << 7 * (at - 1);
	} while (p[at++] & 0x80);
	return (struct number){n > UINT32_MAX ? NULL : p + at, (uint32_t)n};
}

/* Decodes an integer with a prefix of `bits` bits (RFC 7541 section 5.1). p is not the end. */
static inline struct number read_int(const uint8_t *p, const uint8_t *end, unsigned bits)
{
	uint32_t most = (1u << bits) - 1;
	uint32_t n = *p & most;

	return n == most ? read_long_int(p, end, n) : (struct number){p + 1, n};
}

/*
 * Reads a string (section 5.2) without decoding it. Returns the position after it, or NULL if it
 * is malformed.
 */
static inline const uint8_t *read_string(const uint8_t *p, const uint8_t *end,
					 struct span *ret_code, bool *ret_is_huffman)
{
	struct number n;

	if (p == end)
		return NULL;
	n = read_int(p, end, 7);
	if (!n.next || n.value > (size_t)(end - n.next) || n.value > STRING_MAX)
		return NULL;
	*ret_is_huffman = *p & 0x80;
	*ret_code = (struct span){(const char *)n.next, n.value};
	return n.next + n.value;
}

static struct span decode_huffman(struct span code, char *room)
{
	struct span s = {room, 0};

	return http2_huffman_decode(code, room, &s.len) ? s : (struct span){NULL, 0};
}

/* Decodes a string into room if it is in Huffman code. ptr NULL: it is malformed. */
static inline struct span text_of(struct span code, bool is_huffman, char *room)
{
	return is_huffman ? decode_huffman(code, room) : code;
}

/* True if the peer's table can have an entry at this depth. Then our table grows accordingly. */
static bool is_known_to_peer(struct http2_hpack *h, uint32_t depth)
{
	size_t size = h->table.used + (depth - h->table.count) * (size_t)HTTP2_ENTRY_OVERHEAD;

	if (depth > HTTP2_UNKNOWN_MAX || size > HTTP2_TABLE_MAX)
		return false;
	if (size > h->size)
		h->size = (uint32_t)size;
	return true;
}

/* An entry that is not in our table, or there without its name. */
static __attribute__((cold)) void recall(struct http2_hpack *h, uint32_t depth, bool is_name_only,
					 struct http2_field *ret)
{
	uint32_t number = h->table.oldest + h->table.count - depth;

	if (!h->recall || !http2_recall_find(h->recall, number, is_name_only, ret))
		*ret = (struct http2_field){{"", 0}, {"", 0}};
}

/*
 * Returns false if no table can have this index. The name is empty if the entry is unknown, or what
 * is wanted of it.
 */
static inline bool look_up(struct http2_hpack *h, uint32_t index, bool is_name_only,
			   struct http2_field *ret)
{
	uint32_t depth = index - HTTP2_STATIC_ENTRIES;

	if (index - 1 < HTTP2_STATIC_ENTRIES)
		*ret = http2_static_table[index - 1];
	else if (index == 0)
		return false;
	else if (depth <= h->table.count)
		*ret = http2_table_entry(&h->table, depth);
	else if (is_known_to_peer(h, depth))
		*ret = (struct http2_field){{"", 0}, {"", 0}};
	else
		return false;
	if (__builtin_expect(!ret->name.len, 0))
		recall(h, depth, is_name_only, ret);
	return true;
}

static inline bool is_wanted(uint64_t lengths, size_t name)
{
	return name >= 64 || lengths >> name & 1;
}

/*
 * Reads an indexed field (section 6.1). Returns the position after it, or NULL if it is malformed.
 */
static const uint8_t *read_indexed(struct block *b, const uint8_t *p)
{
	struct number index = read_int(p, b->end, 7);
	struct http2_field f;

	if (!index.next || !look_up(b->h, index.value, false, &f))
		return NULL;
	if (is_wanted(b->fields->lengths, f.name.len))
		b->fields->fn(b->fields->ctx, f.name, f.value);
	return index.next;
}

static int insert(struct http2_hpack *h, const struct http2_field *f)
{
	if (h->may_be_larger && f->name.len + f->value.len + HTTP2_ENTRY_OVERHEAD > h->size)
		h->size = HTTP2_TABLE_MAX;
	return http2_table_insert(&h->table, h->memory, h->size, f);
}

/*
 * Reads a literal field (section 6.2); bits: size of the index prefix, 6 if the field is inserted
 * into the table, else 4. Returns as read_indexed(). Writes *ret_err only if there is no memory.
 */
static const uint8_t *read_literal(struct block *b, const uint8_t *p, unsigned bits, int *ret_err)
{
	struct number index = read_int(p, b->end, bits);
	bool is_kept = bits == 6;
	bool is_huffman;
	struct http2_field f;
	bool wanted;
	int err;

	p = index.next;
	if (!p)
		return NULL;
	if (index.value == 0) {
		p = read_string(p, b->end, &f.name, &is_huffman);
		if (!p)
			return NULL;
		f.name = text_of(f.name, is_huffman, names_room);
		if (!f.name.ptr)
			return NULL;
	} else if (!look_up(b->h, index.value, true, &f)) {
		return NULL;
	}
	p = read_string(p, b->end, &f.value, &is_huffman);
	wanted = is_wanted(b->fields->lengths, f.name.len);
	if (!p || (!wanted && !is_kept))
		return p;
	f.value = text_of(f.value, is_huffman, values_room);
	if (!f.value.ptr)
		return NULL;
	if (wanted)
		b->fields->fn(b->fields->ctx, f.name, f.value);
	if (!is_kept)
		return p;
	b->is_table_unchanged = false;
	err = insert(b->h, &f);
	if (err)
		*ret_err = err;
	else if (!f.name.len && b->h->recall && b->h->table.count)
		http2_recall_inserted(b->h->recall, b->h->table.oldest + b->h->table.count - 1);
	return err ? NULL : p;
}

/* Reads a size update (section 6.3); the size may exceed our maximum. Returns as read_indexed(). */
static const uint8_t *read_update(struct block *b, const uint8_t *p)
{
	struct number size = read_int(p, b->end, 5);
	struct http2_hpack *h = b->h;

	if (!size.next)
		return NULL;
	b->is_table_unchanged = false;
	h->may_be_larger = size.value > HTTP2_TABLE_MAX;
	h->size = h->may_be_larger ? HTTP2_TABLE_MAX : size.value;
	http2_table_shrink(&h->table, h->size);
	return size.next;
}

/*
 * Skips fields that are not wanted and do not change the table, in a tight loop, since a block may
 * have thousands of them:
 * - Literals that are not inserted (0000: without indexing, 0001: never indexed, sections 6.2.2 and
 *   6.2.3), with a new name, and two short strings without Huffman code. One test checks that the
 *   longest such literal fits; near the end of the block the general path takes over.
 * - Indexed fields with an index of one byte and an unwanted name.
 */
static inline const uint8_t *skip_unwanted(const struct block *b, const uint8_t *p)
{
	const struct http2_fields *fields = b->fields;
	const struct http2_table *t = &b->h->table;
	const uint64_t lengths = fields->lengths;
	const uint8_t *end = b->end;

	while (p < end) {
		uint8_t first = *p;

		if (!(first & 0xef)) {
			size_t name;
			size_t value;

			if (end - p < LITERAL_MAX || p[1] >= SHORT || p[p[1] + 2] >= SHORT)
				break;
			name = p[1];
			value = p[name + 2];
			if (is_wanted(lengths, name))
				fields->fn(fields->ctx, (struct span){(const char *)p + 2, name},
					   (struct span){(const char *)p + name + 3, value});
			p += name + value + 3;
		} else if (!(lengths >> http2_static_names[first] & 1)) { /* none has 64 */
			p++;
		} else if (first > FIRST_DYNAMIC && first < 0xff &&
			   (uint32_t)first - FIRST_DYNAMIC <= t->count &&
			   !is_wanted(lengths,
				      http2_table_entry(t, first - FIRST_DYNAMIC).name.len)) {
			p++;
		} else {
			break;
		}
	}
	return p;
}

static int read_fields(struct block *b, const uint8_t *p)
{
	int err = -EBADMSG;

	while (p && p < b->end && (*p & 0xe0) == 0x20)
		p = read_update(b, p);
	while (p && (p = skip_unwanted(b, p)) < b->end) {
		if (*p & 0x80)
			p = read_indexed(b, p);
		else if (*p & 0x40)
			p = read_literal(b, p, 6, &err);
		else if (*p & 0x20)
			p = NULL; /* a size update after a field is malformed (section 4.2) */
		else
			p = read_literal(b, p, 4, &err);
	}
	return p ? 0 : err;
}

int http2_hpack_decode(struct http2_hpack *h, struct span block, const struct http2_fields *fields,
		       bool *ret_is_table_unchanged)
{
	const uint8_t *p = (const uint8_t *)block.ptr;
	struct block b = {
		.h = h, .fields = fields, .end = p + block.len, .is_table_unchanged = true};
	int err;

	if (!h->has_size)
		h->size = INITIAL_SIZE;
	h->has_size = true;
	err = read_fields(&b, p);
	*ret_is_table_unchanged = !err && b.is_table_unchanged;
	if (err)
		http2_hpack_forget(h);
	return err;
}

void http2_hpack_release(struct http2_hpack *h)
{
	http2_table_release(&h->table, h->memory);
}

void http2_hpack_forget(struct http2_hpack *h)
{
	http2_hpack_release(h);
	if (h->recall)
		http2_recall_forget(h->recall);
	if (!h->has_size || h->size < INITIAL_SIZE)
		h->size = INITIAL_SIZE;
	h->has_size = h->may_be_larger = true;
}
