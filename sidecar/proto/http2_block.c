/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_block.h"

#include <string.h>

#include "proto/http2.h"

struct http2_block *http2_block_new(struct memory_account *memory, const struct http2_frame *f,
				    uint64_t time_ns)
{
	struct http2_block *b = memory_calloc(memory, 1, sizeof(*b));

	if (!b)
		return NULL;
	b->memory = memory;
	b->time_ns = time_ns;
	b->stream = f->stream;
	b->is_push = f->type == HTTP2_PUSH_PROMISE;
	b->is_end = !b->is_push && f->flags & HTTP2_FLAG_END_STREAM;
	return b;
}

void http2_block_free(struct http2_block *b)
{
	if (!b)
		return;
	memory_free(b->memory, b->data);
	memory_free(b->memory, b);
}

void http2_block_frame(struct http2_block *b)
{
	b->frame_at = b->len;
}

void http2_block_lose(struct http2_block *b, enum parse_fail why)
{
	if (b->is_lost)
		return;
	b->is_lost = true;
	b->why = (uint8_t)why;
	memory_free(b->memory, b->data);
	b->data = NULL;
	b->len = b->alloc = b->frame_at = 0;
}

void http2_block_add(struct http2_block *b, struct span payload)
{
	if (b->is_lost || payload.len == 0)
		return;
	if (payload.len > HTTP2_BLOCK_MAX - b->len) {
		http2_block_lose(b, PARSE_FAIL_HEAD_TOO_LARGE);
		return;
	}
	if (b->len + payload.len > b->alloc) {
		size_t alloc = b->alloc ? b->alloc * 2u : 512;
		char *data;

		while (alloc < b->len + payload.len)
			alloc *= 2;
		data = memory_realloc(b->memory, b->data, alloc);
		if (!data) {
			http2_block_lose(b, PARSE_FAIL_MEMORY);
			return;
		}
		b->data = data;
		b->alloc = (uint32_t)alloc;
	}
	memcpy(b->data + b->len, payload.ptr, payload.len);
	b->len += (uint32_t)payload.len;
}

bool http2_block_trim_any(const struct http2_frame *f, struct span *payload, uint16_t *ret_weight)
{
	size_t pad = 0;
	size_t more = 0;

	if (f->type == HTTP2_CONTINUATION)
		return true;
	if (f->flags & HTTP2_FLAG_PADDED) {
		if (payload->len == 0)
			return false;
		pad = (uint8_t)payload->ptr[0];
		*payload = span_from(*payload, 1);
	}
	if (f->type == HTTP2_PUSH_PROMISE)
		more = 4;
	else if (f->flags & HTTP2_FLAG_PRIORITY)
		more = 5;
	if (payload->len < pad + more)
		return false;
	if (more == 5) /* the weight follows the stream that it depends on (RFC 9113 section 6.2) */
		*ret_weight = (uint16_t)((uint8_t)payload->ptr[4] + 1);
	payload->ptr += more;
	payload->len -= pad + more;
	return true;
}

bool http2_block_end_frame(struct http2_block *b, const struct http2_frame *f)
{
	struct span payload;

	if (b->is_lost)
		return true;
	if (b->len == 0) {
		payload = (struct span){"", 0};
		return http2_block_trim(f, &payload, &b->weight);
	}
	payload = (struct span){b->data + b->frame_at, b->len - b->frame_at};
	if (!http2_block_trim(f, &payload, &b->weight))
		return false;
	if (payload.len)
		memmove(b->data + b->frame_at, payload.ptr, payload.len);
	b->len = b->frame_at + (uint32_t)payload.len;
	return true;
}
