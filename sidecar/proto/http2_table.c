/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_table.h"

#include <errno.h>
#include <string.h>

#define RING_MIN  8u /* entries */
#define BYTES_MIN 256u

#define F(name, value)                                                                             \
	{                                                                                          \
		{name, sizeof(name) - 1},                                                          \
		{                                                                                  \
			value, sizeof(value) - 1                                                   \
		}                                                                                  \
	}

const struct http2_field http2_static_table[HTTP2_STATIC_ENTRIES] = {
	F(":authority", ""),
	F(":method", "GET"),
	F(":method", "POST"),
	F(":path", "/"),
	F(":path", "/index.html"),
	F(":scheme", "http"),
	F(":scheme", "https"),
	F(":status", "200"),
	F(":status", "204"),
	F(":status", "206"),
	F(":status", "304"),
	F(":status", "400"),
	F(":status", "404"),
	F(":status", "500"),
	F("accept-charset", ""),
	F("accept-encoding", "gzip, deflate"),
	F("accept-language", ""),
	F("accept-ranges", ""),
	F("accept", ""),
	F("access-control-allow-origin", ""),
	F("age", ""),
	F("allow", ""),
	F("authorization", ""),
	F("cache-control", ""),
	F("content-disposition", ""),
	F("content-encoding", ""),
	F("content-language", ""),
	F("content-length", ""),
	F("content-location", ""),
	F("content-range", ""),
	F("content-type", ""),
	F("cookie", ""),
	F("date", ""),
	F("etag", ""),
	F("expect", ""),
	F("expires", ""),
	F("from", ""),
	F("host", ""),
	F("if-match", ""),
	F("if-modified-since", ""),
	F("if-none-match", ""),
	F("if-range", ""),
	F("if-unmodified-since", ""),
	F("last-modified", ""),
	F("link", ""),
	F("location", ""),
	F("max-forwards", ""),
	F("proxy-authenticate", ""),
	F("proxy-authorization", ""),
	F("range", ""),
	F("referer", ""),
	F("refresh", ""),
	F("retry-after", ""),
	F("server", ""),
	F("set-cookie", ""),
	F("strict-transport-security", ""),
	F("transfer-encoding", ""),
	F("user-agent", ""),
	F("vary", ""),
	F("via", ""),
	F("www-authenticate", ""),
};

const uint8_t http2_static_names[UINT8_MAX + 1] = {
	[0x81] = 10, 7,	 7,  5,	 5,  7,	 7,  7,	 7,  7,	 7,  7, 7,  7,	14, 15, 15, 13, 6,  27, 3,
	5,	     13, 13, 19, 16, 16, 14, 16, 13, 12, 6,  4, 4,  6,	7,  4,	4,  8,	17, 13, 8,
	19,	     13, 4,  8,	 12, 18, 19, 5,	 7,  7,	 11, 6, 10, 25, 17, 10, 4,  3,	16,
};

static void *allocate(struct http2_memory *m, size_t size)
{
	size_t before = m->account->used;
	void *ptr = memory_alloc(m->account, size);

	*m->total += m->account->used - before;
	return ptr;
}

static void release(struct http2_memory *m, void *ptr)
{
	size_t before = m->account->used;

	memory_free(m->account, ptr);
	*m->total += m->account->used - before;
}

void http2_table_release(struct http2_table *t, struct http2_memory *m)
{
	if (t->ring)
		release(m, t->ring);
	if (t->bytes)
		release(m, t->bytes);
	*t = (struct http2_table){0};
}

static struct http2_entry *entry_at(const struct http2_table *t, uint32_t number)
{
	return &t->ring[number & (t->ring_size - 1)];
}

static uint32_t size_of(const struct http2_entry *e)
{
	return e->name + e->value + HTTP2_ENTRY_OVERHEAD;
}

void http2_table_shrink(struct http2_table *t, uint32_t size)
{
	while (t->used > size) {
		t->used -= size_of(entry_at(t, t->oldest++));
		t->count--;
	}
}

static int grow_ring(struct http2_table *t, struct http2_memory *m)
{
	uint32_t size = t->ring_size ? 2 * t->ring_size : RING_MIN;
	struct http2_entry *ring = allocate(m, size * sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (uint32_t n = t->oldest; n != t->oldest + t->count; n++)
		ring[n & (size - 1)] = *entry_at(t, n);
	if (t->ring)
		release(m, t->ring);
	t->ring = ring;
	t->ring_size = size;
	return 0;
}

/*
 * Allocates a buffer with room for `more` further bytes. *ret_old is the old buffer, which the
 * caller frees.
 */
static int move_bytes(struct http2_table *t, struct http2_memory *m, uint32_t more, char **ret_old)
{
	uint32_t live = t->used - t->count * HTTP2_ENTRY_OVERHEAD;
	uint32_t room = 2 * (live + more) > BYTES_MIN ? 2 * (live + more) : BYTES_MIN;
	uint32_t first = t->count ? entry_at(t, t->oldest)->at : 0;
	char *bytes = allocate(m, room);

	if (!bytes)
		return -ENOMEM;
	if (t->bytes && live)
		memcpy(bytes, t->bytes + first, live);
	for (uint32_t n = t->oldest; n != t->oldest + t->count; n++)
		entry_at(t, n)->at -= first;
	*ret_old = t->bytes;
	t->bytes = bytes;
	t->room = room;
	t->end = live;
	return 0;
}

int http2_table_insert(struct http2_table *t, struct http2_memory *m, uint32_t size,
		       const struct http2_field *f)
{
	size_t more = f->name.len + f->value.len;
	char *old = NULL;

	if (more + HTTP2_ENTRY_OVERHEAD > size) {
		http2_table_shrink(t, 0);
		return 0;
	}
	http2_table_shrink(t, size - (uint32_t)more - HTTP2_ENTRY_OVERHEAD);
	if ((t->count == t->ring_size && grow_ring(t, m)) ||
	    ((!t->bytes || more > t->room - t->end) && move_bytes(t, m, (uint32_t)more, &old)))
		return -ENOMEM;
	*entry_at(t, t->oldest + t->count++) =
		(struct http2_entry){t->end, (uint32_t)f->name.len, (uint32_t)f->value.len};
	memcpy(t->bytes + t->end, f->name.ptr, f->name.len);
	memcpy(t->bytes + t->end + f->name.len, f->value.ptr, f->value.len);
	t->end += (uint32_t)more;
	t->used += (uint32_t)more + HTTP2_ENTRY_OVERHEAD;
	if (old)
		release(m, old); /* only now: name and value may point into it */
	return 0;
}
