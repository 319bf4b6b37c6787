/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_head_cache.h"

#include <string.h>

/* Request heads of browsers, with cookies, have 500 to 1,500 bytes. */
#define HEAD_MAX 2048
/* The hash reads this many bytes; a shorter head is parsed as fast as it is looked up. */
#define HEAD_MIN 32
#define SLOTS	 64
/*
 * Long heads often differ only in the middle, by cookies. The hash of a head longer than
 * HASH_ENDS_MAX therefore includes one word of every HASH_STEP bytes.
 */
#define HASH_STEP     128
#define HASH_ENDS_MAX 256

struct cached_head {
	size_t len; /* of the head; 0: the slot is free */
	struct http1_head head; /* its spans point into bytes, m.attributes to the next member */
	struct http1_attributes attributes;
	char bytes[HEAD_MAX];
};

static _Thread_local struct cached_head cache[SLOTS];

static inline uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* The slot of a head: a hash of its length, its path or status, and its last characters. */
static inline uint8_t slot_of(struct span data)
{
	uint64_t key = word(data.ptr + 8) ^ word(data.ptr + 16) >> 3;

	if (data.len > HASH_ENDS_MAX) {
		for (size_t at = HASH_STEP; at + 8 <= data.len; at += HASH_STEP)
			key = (key << 7 | key >> 57) ^ word(data.ptr + at);
	}
	key = (key ^ data.len) * 0x9e3779b97f4a7c15u + word(data.ptr + data.len - 12);
	return (uint8_t)((key * 0x9e3779b97f4a7c15u) >> 58);
}

_Static_assert(SLOTS == 1 << (64 - 58), "the key's upper bits number the slots");

/* Not inlined, so that the common path does not save registers for it. */
static __attribute__((noinline)) struct http1_head *remember(struct cached_head *cached,
							     struct span data, bool is_response)
{
	memcpy(cached->bytes, data.ptr, data.len);
	cached->len = 0;
	if (http1_head_parse(&cached->head, (struct span){cached->bytes, data.len}, is_response) !=
	    HTTP1_HEAD_DONE)
		return NULL;
	cached->len = cached->head.len;
	cached->attributes.generation = 0;
	cached->head.m.attributes = &cached->attributes;
	return &cached->head;
}

static inline bool is_in(const struct cached_head *cached, struct span data, bool is_response)
{
	return cached->len - 1 < data.len && cached->head.m.is_response == is_response &&
	       memcmp(cached->bytes, data.ptr, cached->len) == 0;
}

struct http1_head *http1_head_cache_find(struct span data, bool is_response, uint8_t *slot)
{
	struct cached_head *cached = &cache[*slot % SLOTS];

	if (is_in(cached, data, is_response))
		return &cached->head;
	if (data.len < HEAD_MIN || data.len > HEAD_MAX)
		return NULL;
	*slot = slot_of(data);
	cached = &cache[*slot];
	return is_in(cached, data, is_response) ? &cached->head : NULL;
}

struct http1_head *http1_head_cache_parse(struct span data, bool is_response)
{
	struct cached_head *cached;

	if (data.len < HEAD_MIN || data.len > HEAD_MAX)
		return NULL;
	cached = &cache[slot_of(data)];
	if (is_in(cached, data, is_response))
		return &cached->head;
	return remember(cached, data, is_response);
}
