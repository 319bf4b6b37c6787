/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_memo.h"

#include <string.h>

/* The heads of browsers, with their cookies, have 500 to 1,500 bytes. */
#define MEMO_BYTES 2048
/* Shorter is no head that matters, and the key reads so far. */
#define MEMO_MIN   32
#define MEMO_SLOTS 64
/* Longer heads often differ in the middle, by cookies: one word of so many bytes tells them apart.
 */
#define MEMO_STEP 128
#define MEMO_LONG 256

struct memo {
	size_t len; /* of the head; 0: free */
	struct http1_head head; /* its spans point into bytes, its note to the next */
	struct message_note note;
	char bytes[MEMO_BYTES];
};

static _Thread_local struct memo memos[MEMO_SLOTS];

static inline uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* Where heads like this one are kept: told by length, path or status, and last characters. */
static inline uint8_t slot_of(struct span data)
{
	uint64_t key = word(data.ptr + 8) ^ word(data.ptr + 16) >> 3;

	if (data.len > MEMO_LONG) {
		for (size_t at = MEMO_STEP; at + 8 <= data.len; at += MEMO_STEP)
			key = (key << 7 | key >> 57) ^ word(data.ptr + at);
	}
	key = (key ^ data.len) * 0x9e3779b97f4a7c15u + word(data.ptr + data.len - 12);
	return (uint8_t)((key * 0x9e3779b97f4a7c15u) >> 58);
}

_Static_assert(MEMO_SLOTS == 1 << (64 - 58), "the key's upper bits number the slots");

/* Out of line, so that the usual path saves no registers for it. */
static __attribute__((noinline)) struct http1_head *remember(struct memo *memo, struct span data,
							     bool is_response)
{
	memcpy(memo->bytes, data.ptr, data.len);
	memo->len = 0;
	if (http1_head_parse(&memo->head, (struct span){memo->bytes, data.len}, is_response) !=
	    HTTP1_HEAD_DONE)
		return NULL;
	memo->len = memo->head.len;
	memo->note.owner = 0;
	memo->head.m.note = &memo->note;
	return &memo->head;
}

static inline bool is_in(const struct memo *memo, struct span data, bool is_response)
{
	return memo->len - 1 < data.len && memo->head.m.is_response == is_response &&
	       memcmp(memo->bytes, data.ptr, memo->len) == 0;
}

struct http1_head *http1_memo_find(struct span data, bool is_response, uint8_t *place)
{
	struct memo *memo = &memos[*place % MEMO_SLOTS];

	if (is_in(memo, data, is_response))
		return &memo->head;
	if (data.len < MEMO_MIN || data.len > MEMO_BYTES)
		return NULL;
	*place = slot_of(data);
	memo = &memos[*place];
	return is_in(memo, data, is_response) ? &memo->head : NULL;
}

struct http1_head *http1_memo_head(struct span data, bool is_response)
{
	struct memo *memo;

	if (data.len < MEMO_MIN || data.len > MEMO_BYTES)
		return NULL;
	memo = &memos[slot_of(data)];
	if (is_in(memo, data, is_response))
		return &memo->head;
	return remember(memo, data, is_response);
}
