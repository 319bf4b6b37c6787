/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_recall.h"

#include <string.h>

#include "base/hash.h"

/* Lists usually come first, and wait for what the ring has: 30 ms of calls. */
#define BLOCKS	     8u
#define LISTS	     32u
#define ENTRIES	     32u
#define UNKNOWNS_MAX 12
#define LENGTHS	     (2 * sizeof(uint16_t))

/* A field of a block that is not known. */
struct unknown {
	uint32_t number; /* of the entry that it refers to */
	uint32_t inserted; /* of its own entry, if has_entry */
	uint8_t position; /* in the block */
	bool is_name_only; /* its value is known */
	bool has_entry;
};

struct block {
	uint32_t stream;
	bool is_end;
	uint8_t fields;
	uint8_t unknowns; /* 0: the place is free */
	bool is_too_long;
	uint64_t hash; /* of what is known, in order */
	struct unknown unknown[UNKNOWNS_MAX];
};

struct entry {
	uint32_t number;
	bool has_value;
	uint16_t name;
	uint16_t value; /* lengths */
	char *text; /* owned; NULL: the place is free */
};

struct http2_recall {
	struct memory_account *memory;
	uint64_t *counts; /* by enum http2_recalled */
	uint32_t next_block;
	uint32_t next_list;
	uint32_t next_entry;
	struct http2_list used; /* owned: the list that http2_recall_end() has returned last */
	struct block current;
	struct block block[BLOCKS];
	struct http2_list held[LISTS]; /* their texts are owned; NULL: the place is free */
	struct entry entry[ENTRIES];
};

bool http2_list_next(struct span *text, struct http2_field *ret_field)
{
	uint16_t len[2];

	if (text->len < LENGTHS)
		return false;
	memcpy(len, text->ptr, LENGTHS);
	if (text->len - LENGTHS < (size_t)len[0] + len[1])
		return false;
	ret_field->name = (struct span){text->ptr + LENGTHS, len[0]};
	ret_field->value = (struct span){text->ptr + LENGTHS + len[0], len[1]};
	*text = span_from(*text, LENGTHS + len[0] + len[1]);
	return true;
}

struct http2_recall *http2_recall_new(struct memory_account *memory, uint64_t *counts)
{
	struct http2_recall *r = memory_calloc(memory, 1, sizeof(*r));

	if (!r)
		return NULL;
	r->memory = memory;
	r->counts = counts;
	return r;
}

/* Free places are dropped, too. Header fields may be credentials: they are overwritten. */
static void drop_list(struct http2_recall *r, struct http2_list *h, enum http2_recalled why)
{
	if (!h->text.ptr)
		return;
	r->counts[why]++;
	explicit_bzero((char *)h->text.ptr, h->text.len);
	memory_free(r->memory, (char *)h->text.ptr);
	*h = (struct http2_list){0};
}

static void drop_entry(struct http2_recall *r, struct entry *e)
{
	memory_free(r->memory, e->text);
	*e = (struct entry){0};
}

void http2_recall_forget(struct http2_recall *r)
{
	for (size_t i = 0; i < LISTS; i++)
		drop_list(r, &r->held[i], HTTP2_RECALLED_UNNEEDED);
	for (size_t i = 0; i < ENTRIES; i++)
		drop_entry(r, &r->entry[i]);
	for (size_t i = 0; i < BLOCKS; i++)
		r->block[i].unknowns = 0;
	r->current.unknowns = 0;
}

void http2_recall_free(struct http2_recall *r)
{
	if (!r)
		return;
	http2_recall_forget(r);
	drop_list(r, &r->used, HTTP2_RECALLED_LEARNED);
	memory_free(r->memory, r);
}

/* --- entries ---------------------------------------------------------------------- */

static struct entry *find_entry(struct http2_recall *r, uint32_t number)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (r->entry[i].text && r->entry[i].number == number)
			return &r->entry[i];
	return NULL;
}

/* Without memory it stays unknown. value.ptr NULL: only the name is known. */
static void learn_entry(struct http2_recall *r, uint32_t number, struct span name,
			struct span value)
{
	struct entry *e = find_entry(r, number);
	char *text;

	if (e && (e->has_value || !value.ptr))
		return;
	text = memory_alloc(r->memory, name.len + value.len + 1);
	if (!text)
		return;
	if (!e)
		e = &r->entry[r->next_entry++ % ENTRIES];
	drop_entry(r, e);
	*e = (struct entry){.number = number,
			    .has_value = value.ptr != NULL,
			    .name = (uint16_t)name.len,
			    .value = (uint16_t)value.len,
			    .text = text};
	memcpy(text, name.ptr, name.len);
	if (value.len)
		memcpy(text + name.len, value.ptr, value.len);
}

/* --- blocks ----------------------------------------------------------------------- */

void http2_recall_begin(struct http2_recall *r)
{
	r->current = (struct block){0};
}

bool http2_recall_find(struct http2_recall *r, uint32_t number, bool is_name_only,
		       struct http2_field *ret_field)
{
	struct block *b = &r->current;
	const struct entry *e = find_entry(r, number);

	if (e && (e->has_value || is_name_only)) {
		*ret_field =
			(struct http2_field){{e->text, e->name}, {e->text + e->name, e->value}};
		return true;
	}
	if (b->unknowns == UNKNOWNS_MAX) {
		b->is_too_long = true;
		return false;
	}
	b->unknown[b->unknowns++] = (struct unknown){
		.number = number, .position = b->fields, .is_name_only = is_name_only};
	return false;
}

/* What is known of the field at this position, added to the hash. */
static uint64_t add_known(uint64_t hash, const struct unknown *u, struct span name,
			  struct span value)
{
	if (u && !u->is_name_only)
		return hash_mix(hash, 1);
	if (!u)
		hash = hash_bytes(name.ptr, name.len, hash);
	return hash_bytes(value.ptr, value.len, hash);
}

void http2_recall_field(struct http2_recall *r, struct span name, struct span value)
{
	struct block *b = &r->current;
	const struct unknown *last = b->unknowns ? &b->unknown[b->unknowns - 1] : NULL;

	if (b->is_too_long)
		return;
	if (b->fields == HTTP2_LIST_FIELDS_MAX ||
	    (!name.len && (!last || last->position < b->fields))) {
		b->is_too_long = true;
		return;
	}
	b->hash =
		add_known(b->hash, last && last->position == b->fields ? last : NULL, name, value);
	b->fields++;
}

void http2_recall_inserted(struct http2_recall *r, uint32_t number)
{
	struct block *b = &r->current;

	if (b->is_too_long || !b->unknowns)
		return;
	b->unknown[b->unknowns - 1].has_entry = true;
	b->unknown[b->unknowns - 1].inserted = number;
}

/* --- the two together ------------------------------------------------------------- */

static bool is_list_of(const struct block *b, const struct http2_list *list)
{
	struct span text = list->text;
	struct http2_field f;
	unsigned fields = 0;
	unsigned unknown = 0;
	uint64_t hash = 0;

	for (; http2_list_next(&text, &f); fields++) {
		const struct unknown *u = unknown < b->unknowns ? &b->unknown[unknown] : NULL;

		if (u && u->position != fields)
			u = NULL;
		unknown += u != NULL;
		hash = add_known(hash, u, f.name, f.value);
	}
	return fields == b->fields && unknown == b->unknowns && hash == b->hash;
}

static void learn(struct http2_recall *r, const struct block *b, const struct http2_list *list)
{
	struct span text = list->text;
	const struct unknown *u = b->unknown;
	struct http2_field f;

	for (unsigned i = 0; u < b->unknown + b->unknowns && http2_list_next(&text, &f); i++) {
		if (u->position != i)
			continue;
		learn_entry(r, u->number, f.name,
			    u->is_name_only ? (struct span){NULL, 0} : f.value);
		if (u->has_entry)
			learn_entry(r, u->inserted, f.name, f.value);
		u++;
	}
}

static struct http2_list *find_list(struct http2_recall *r, uint32_t stream, bool is_end)
{
	for (size_t i = 0; i < LISTS; i++)
		if (r->held[i].text.ptr && r->held[i].stream == stream &&
		    r->held[i].is_end == is_end)
			return &r->held[i];
	return NULL;
}

const struct http2_list *http2_recall_end(struct http2_recall *r, uint32_t stream, bool is_end)
{
	struct http2_list *h = find_list(r, stream, is_end);
	struct block *b = &r->current;

	b->stream = stream;
	b->is_end = is_end;
	if (h && b->unknowns && !b->is_too_long && is_list_of(b, h)) {
		learn(r, b, h);
		drop_list(r, &r->used, HTTP2_RECALLED_LEARNED);
		r->used = *h;
		*h = (struct http2_list){0};
		return &r->used;
	}
	if (h)
		drop_list(r, h, b->unknowns ? HTTP2_RECALLED_MISMATCH : HTTP2_RECALLED_UNNEEDED);
	else if (b->unknowns && !b->is_too_long)
		r->block[r->next_block++ % BLOCKS] = *b;
	return NULL;
}

static bool is_valid(const struct http2_list *list)
{
	struct span text = list->text;
	struct http2_field f;
	unsigned fields = 0;

	while (http2_list_next(&text, &f))
		if (!f.name.len || ++fields > HTTP2_LIST_FIELDS_MAX)
			return false;
	return fields && !text.len && list->text.len <= HTTP2_LIST_BYTES_MAX;
}

static bool hold(struct http2_recall *r, const struct http2_list *list)
{
	char *text = memory_alloc(r->memory, list->text.len);
	struct http2_list *h = &r->held[r->next_list % LISTS];

	if (!text)
		return false;
	r->next_list++;
	drop_list(r, h, HTTP2_RECALLED_UNNEEDED);
	memcpy(text, list->text.ptr, list->text.len);
	*h = *list;
	h->text.ptr = text;
	return true;
}

/* The block of this list came before it. */
static bool learn_late(struct http2_recall *r, struct block *b, const struct http2_list *list)
{
	bool is_its = is_list_of(b, list);

	if (is_its)
		learn(r, b, list);
	r->counts[is_its ? HTTP2_RECALLED_LEARNED : HTTP2_RECALLED_MISMATCH]++;
	b->unknowns = 0;
	return is_its;
}

bool http2_recall_add(struct http2_recall *r, const struct http2_list *list)
{
	bool is_taken = is_valid(list);

	for (size_t i = 0; is_taken && i < BLOCKS; i++) {
		struct block *b = &r->block[i];

		if (b->unknowns && b->stream == list->stream && b->is_end == list->is_end)
			return learn_late(r, b, list);
	}
	is_taken = is_taken && hold(r, list);
	r->counts[HTTP2_RECALLED_DROPPED] += !is_taken;
	return false;
}
