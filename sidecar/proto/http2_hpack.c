/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_hpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_ENTRIES 61 /* RFC 7541 appendix A */
#define ENTRY_OVERHEAD 32 /* section 4.1 */
#define LONGEST_STATIC 27 /* access-control-allow-origin */
#define INSERTING      6 /* bits of the index in a literal that is kept (section 6.2.1) */
#define INITIAL_SIZE   4096 /* RFC 9113 section 6.5.2 */
#define INT_MAX_BYTES  6 /* of an integer: no index and no length that counts has more */
#define STRING_MAX     (64u << 10) /* libnghttp2's limit for one string */

/* What a block will do, found before it is decoded. */
struct scan {
	const struct http2_hpack *table; /* as it is before the block */
	size_t updates; /* bytes of table size updates at its start */
	uint32_t smallest; /* size that they name; valid if updates */
	uint32_t last; /* likewise */
	size_t depth; /* entries that must be there before it */
	size_t largest; /* an entry that it inserts has at most this size */
	size_t inserted; /* entries, until the place that is looked at */
};

/* --- memory that is counted ------------------------------------------------------ */

/* What the connection's account has gained or lost since it was at `before`. */
static void *count(struct http2_memory *m, size_t before, void *ptr)
{
	*m->total += m->account->used - before;
	return ptr;
}

static void *mem_malloc(size_t size, void *user)
{
	struct http2_memory *m = user;
	size_t before = m->account->used;

	return count(m, before, memory_alloc(m->account, size));
}

static void mem_free(void *ptr, void *user)
{
	struct http2_memory *m = user;
	size_t before = m->account->used;

	memory_free(m->account, ptr);
	(void)count(m, before, NULL);
}

static void *mem_calloc(size_t n, size_t size, void *user)
{
	struct http2_memory *m = user;
	size_t before = m->account->used;

	return count(m, before, memory_calloc(m->account, n, size));
}

static void *mem_realloc(void *ptr, size_t size, void *user)
{
	struct http2_memory *m = user;
	size_t before = m->account->used;

	return count(m, before, memory_realloc(m->account, ptr, size));
}

void http2_memory_init(struct http2_memory *m, struct memory_account *account, size_t *total)
{
	*m = (struct http2_memory){
		.account = account,
		.total = total,
		.hooks = {.mem_user_data = m,
			  .malloc = mem_malloc,
			  .free = mem_free,
			  .calloc = mem_calloc,
			  .realloc = mem_realloc},
	};
}

/* --- reading ahead ---------------------------------------------------------------- */

/* An integer that does not fit into its prefix, whose value is n. */
static bool scan_long_int(struct span *in, uint64_t n, uint32_t *ret_n)
{
	const uint8_t *p = (const uint8_t *)in->ptr;
	size_t at = 1;

	do {
		if (at == in->len || at == INT_MAX_BYTES)
			return false;
		n += (uint64_t)(p[at] & 0x7f) << 7 * (at - 1);
	} while (p[at++] & 0x80);
	if (n > UINT32_MAX)
		return false;
	*in = span_from(*in, at);
	*ret_n = (uint32_t)n;
	return true;
}

/* An integer with a prefix of `bits` (RFC 7541 section 5.1); false if it is none. */
static inline bool scan_int(struct span *in, unsigned bits, uint32_t *ret_n)
{
	uint32_t most = (1u << bits) - 1;
	uint32_t n = (uint8_t)in->ptr[0] & most;

	if (n == most)
		return scan_long_int(in, n, ret_n);
	*in = span_from(*in, 1);
	*ret_n = n;
	return true;
}

/* A string (section 5.2). *ret_most is the most that it can decode to. */
static bool scan_string(struct span *in, size_t *ret_most)
{
	bool is_huffman = in->len && in->ptr[0] & 0x80;
	uint32_t n;

	if (in->len == 0 || !scan_int(in, 7, &n) || n > in->len)
		return false;
	*in = span_from(*in, n);
	/* The shortest code has five bits. */
	*ret_most = is_huffman ? (size_t)n * 8 / 5 : n;
	return true;
}

static size_t entries(const struct http2_hpack *h)
{
	return h->inflater ? nghttp2_hd_inflate_get_num_table_entries(h->inflater) - STATIC_ENTRIES
			   : 0;
}

static void scan_index(struct scan *s, uint32_t index)
{
	size_t depth = index > STATIC_ENTRIES ? index - STATIC_ENTRIES : 0;

	if (depth > s->inserted && depth - s->inserted > s->depth)
		s->depth = depth - s->inserted;
}

/* The most that the name of an entry has. */
static size_t scan_name(const struct scan *s, uint32_t index)
{
	if (index <= STATIC_ENTRIES)
		return LONGEST_STATIC;
	index -= STATIC_ENTRIES;
	if (index <= s->inserted)
		return s->largest - ENTRY_OVERHEAD; /* it is of this block */
	index -= (uint32_t)s->inserted;
	if (index > entries(s->table))
		return 0;
	return nghttp2_hd_inflate_get_table_entry(s->table->inflater, index + STATIC_ENTRIES)
		->namelen;
}

static bool scan_literal(struct scan *s, struct span *in, unsigned bits)
{
	size_t value = 0;
	size_t name = 0;
	uint32_t index;

	if (!scan_int(in, bits, &index))
		return false;
	scan_index(s, index);
	if ((!index && !scan_string(in, &name)) || !scan_string(in, &value))
		return false;
	if (bits == INSERTING) {
		if (index)
			name = scan_name(s, index);
		if (name + value + ENTRY_OVERHEAD > s->largest)
			s->largest = name + value + ENTRY_OVERHEAD;
		s->inserted++;
	}
	return true;
}

/*
 * A literal with a new name that is not kept, both strings short and without Huffman code: its
 * length, 0 if the field at the beginning of in is another. A block may consist of thousands.
 */
static inline size_t short_literal(struct span in, struct span *ret_name, struct span *ret_value)
{
	const uint8_t *p = (const uint8_t *)in.ptr;
	size_t name;
	size_t value;

	/* 0000: without indexing, 0001: never indexed (sections 6.2.2 and 6.2.3); lengths below the
	 * prefix's 127 have one byte. */
	if (p[0] & 0xef || in.len < 3 || p[1] >= 0x7f)
		return 0;
	name = p[1];
	if (name + 3 > in.len || p[name + 2] >= 0x7f)
		return 0;
	value = p[name + 2];
	if (name + value + 3 > in.len)
		return 0;
	*ret_name = (struct span){in.ptr + 2, name};
	*ret_value = (struct span){in.ptr + name + 3, value};
	return name + value + 3;
}

/* False: it is no header block. */
static bool scan_block(struct scan *s, const struct http2_hpack *h, struct span in)
{
	size_t whole = in.len;
	uint32_t n;

	*s = (struct scan){.table = h, .smallest = UINT32_MAX};
	while (in.len) {
		uint8_t first = (uint8_t)in.ptr[0];
		struct span value;
		struct span name;

		n = (uint32_t)short_literal(in, &name, &value);
		if (n) {
			in = span_from(in, n);
		} else if (first & 0x80) {
			if (!scan_int(&in, 7, &n) || n == 0)
				return false;
			scan_index(s, n);
		} else if (first & 0x40) {
			if (!scan_literal(s, &in, INSERTING))
				return false;
		} else if (first & 0x20) {
			bool is_first = s->updates == whole - in.len;

			if (!is_first || !scan_int(&in, 5, &n))
				return false;
			s->updates = whole - in.len;
			s->last = n;
			s->smallest = n < s->smallest ? n : s->smallest;
		} else if (!scan_literal(s, &in, 4)) {
			return false;
		}
	}
	return true;
}

/* --- libnghttp2 ------------------------------------------------------------------- */

static void no_field(void *ctx, struct span name, struct span value)
{
	(void)ctx;
	(void)name;
	(void)value;
}

static struct span name_of(const nghttp2_nv *nv)
{
	return (struct span){(const char *)nv->name, nv->namelen};
}

static struct span value_of(const nghttp2_nv *nv)
{
	return (struct span){(const char *)nv->value, nv->valuelen};
}

/* A string without Huffman code. */
static bool read_plain_string(struct span *in, struct span *ret)
{
	uint32_t n;

	if (in->len == 0 || in->ptr[0] & 0x80 || !scan_int(in, 7, &n) || n > in->len ||
	    n > STRING_MAX)
		return false;
	*ret = (struct span){in->ptr, n};
	*in = span_from(*in, n);
	return true;
}

/* A literal that is not kept, of strings without Huffman code; false, and *in as it was, if the
 * field at the beginning of *in is none. */
static bool read_plain_literal(const struct http2_hpack *h, struct span *in, struct span *ret_name,
			       struct span *ret_value)
{
	struct span at = *in;
	uint32_t index;

	if (at.ptr[0] & 0xe0 || !scan_int(&at, 4, &index))
		return false;
	if (index) {
		const nghttp2_nv *entry = nghttp2_hd_inflate_get_table_entry(h->inflater, index);

		if (!entry)
			return false;
		*ret_name = name_of(entry);
	} else if (!read_plain_string(&at, ret_name)) {
		return false;
	}
	if (!read_plain_string(&at, ret_value))
		return false;
	*in = at;
	return true;
}

/*
 * Fields that are all in the table, which most are, and literals that are not kept change nothing
 * there: they are read here. The rest is for the inflater, which takes one at a time and some 1,200
 * instructions for it.
 */
static int inflate(struct http2_hpack *h, struct span in, http2_field_fn fn, void *ctx)
{
	while (in.len) {
		const nghttp2_nv *entry;
		nghttp2_nv nv;
		struct span value;
		struct span name;
		uint32_t index;
		int flags = 0;
		ssize_t n;

		n = (ssize_t)short_literal(in, &name, &value);
		if (n) {
			in = span_from(in, (size_t)n);
			fn(ctx, name, value);
			continue;
		}
		if (read_plain_literal(h, &in, &name, &value)) {
			fn(ctx, name, value);
			continue;
		}
		if (in.ptr[0] & 0x80) {
			entry = scan_int(&in, 7, &index)
					? nghttp2_hd_inflate_get_table_entry(h->inflater, index)
					: NULL;
			if (!entry)
				return -EBADMSG;
			fn(ctx, name_of(entry), value_of(entry));
			continue;
		}
		n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, (const uint8_t *)in.ptr,
					   in.len, 1);
		if (n < 0)
			return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EBADMSG;
		in = span_from(in, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			fn(ctx, name_of(&nv), value_of(&nv));
		else if (in.len)
			return -EBADMSG; /* none of it is left when there is no field */
	}
	(void)nghttp2_hd_inflate_end_headers(h->inflater); /* cannot fail */
	return 0;
}

/* Appends an integer of at most three bytes behind its prefix. */
static size_t put_int(uint8_t *out, uint8_t first, unsigned bits, size_t n)
{
	size_t most = (1u << bits) - 1;
	size_t at = 1;

	if (n < most) {
		out[0] = (uint8_t)(first | n);
		return 1;
	}
	out[0] = (uint8_t)(first | most);
	for (n -= most; n >= 0x80; n >>= 7)
		out[at++] = (uint8_t)(n | 0x80);
	out[at++] = (uint8_t)n;
	return at;
}

static int set_size(struct http2_hpack *h, size_t size)
{
	uint8_t update[4];
	size_t n = put_int(update, 0x20, 5, size);

	h->size = (uint32_t)size;
	return inflate(h, (struct span){(const char *)update, n}, no_field, NULL);
}

static int new_inflater(struct http2_hpack *h)
{
	if (h->size == 0)
		h->size = INITIAL_SIZE;
	if (nghttp2_hd_inflate_new2(&h->inflater, &h->memory->hooks))
		return -ENOMEM;
	/* What the peer may choose is not for us to judge. */
	(void)nghttp2_hd_inflate_change_table_size(h->inflater, HTTP2_TABLE_MAX); /* grows */
	return h->size == INITIAL_SIZE ? 0 : set_size(h, h->size);
}

/* A literal with incremental indexing, as if it had come in a block. */
static int insert(struct http2_hpack *h, struct span name, struct span value)
{
	uint8_t *block = malloc(name.len + value.len + 9);
	size_t n = 0;
	int err;

	if (!block)
		return -ENOMEM;
	block[n++] = 0x40;
	n += put_int(block + n, 0, 7, name.len);
	memcpy(block + n, name.ptr, name.len);
	n += name.len;
	n += put_int(block + n, 0, 7, value.len);
	memcpy(block + n, value.ptr, value.len);
	n += value.len;
	err = inflate(h, (struct span){(const char *)block, n}, no_field, NULL);
	free(block);
	return err;
}

/* Unknown entries behind all others, so that there are `depth`. */
static int deepen(struct http2_hpack *h, size_t depth)
{
	static const struct span none = {"", 0};
	nghttp2_hd_inflater *old = h->inflater;
	size_t count = entries(h);
	size_t add;
	size_t size;
	int err;

	/* Twice as many each time: a stranger's growing indices cost little. */
	depth = depth < 2 * count ? 2 * count : depth;
	depth = depth > HTTP2_UNKNOWN_MAX ? HTTP2_UNKNOWN_MAX : depth;
	add = depth - count;
	size = nghttp2_hd_inflate_get_dynamic_table_size(old) + add * ENTRY_OVERHEAD;
	if (size > HTTP2_TABLE_MAX)
		return -EBADMSG;
	if (size > h->size)
		h->size = (uint32_t)size;
	h->inflater = NULL;
	err = new_inflater(h);
	for (size_t i = 0; i < add && !err; i++)
		err = insert(h, none, none);
	for (size_t i = STATIC_ENTRIES + count; i > STATIC_ENTRIES && !err; i--) {
		const nghttp2_nv *nv = nghttp2_hd_inflate_get_table_entry(old, i);

		err = insert(h, name_of(nv), value_of(nv));
	}
	nghttp2_hd_inflate_del(old);
	return err;
}

/* Table size updates that name more than we keep; the rest of the block is left to the caller. */
static int apply_updates(struct http2_hpack *h, const struct scan *s, struct span *block)
{
	size_t last = s->last > HTTP2_TABLE_MAX ? HTTP2_TABLE_MAX : s->last;
	int err = 0;

	*block = span_from(*block, s->updates);
	if (s->smallest < last)
		err = set_size(h, s->smallest);
	if (!err)
		err = set_size(h, last);
	h->is_unsure = s->last > HTTP2_TABLE_MAX;
	return err;
}

static int decode(struct http2_hpack *h, const struct scan *s, struct span block, http2_field_fn fn,
		  void *ctx)
{
	int err = h->inflater ? 0 : new_inflater(h);

	if (!err && s->updates)
		err = apply_updates(h, s, &block);
	if (!err && h->is_unsure && s->largest > h->size)
		err = set_size(h, HTTP2_TABLE_MAX);
	if (!err && s->depth > entries(h))
		err = s->depth > HTTP2_UNKNOWN_MAX ? -EBADMSG : deepen(h, s->depth);
	return err ? err : inflate(h, block, fn, ctx);
}

int http2_hpack_decode(struct http2_hpack *h, struct span block, http2_field_fn fn, void *ctx,
		       bool *ret_is_pure)
{
	struct scan s;
	int err = scan_block(&s, h, block) ? decode(h, &s, block, fn, ctx) : -EBADMSG;

	*ret_is_pure = !err && !s.inserted && !s.updates;
	if (err)
		http2_hpack_forget(h);
	return err;
}

void http2_hpack_release(struct http2_hpack *h)
{
	if (h->inflater)
		nghttp2_hd_inflate_del(h->inflater);
	h->inflater = NULL;
}

void http2_hpack_forget(struct http2_hpack *h)
{
	http2_hpack_release(h);
	if (h->size < INITIAL_SIZE)
		h->size = INITIAL_SIZE;
	h->is_unsure = true;
}
