/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2.h"

#include <errno.h>
#include <string.h>

#include "proto/grpc.h"
#include "proto/http2_block.h"

enum { FRAME, PREFACE, BLOCK, PADDING, BODY, SMALL, PASS, SYNC };

/* Who is called; handed down by address: by value it would be stored as two words and read back as
 * one, which waits for the stores. */
struct out {
	const struct http2_sink *sink;
	void *ctx;
};

void http2_init(struct http2 *p, bool is_response, struct http2_memory *memory)
{
	*p = (struct http2){.at.is_response = is_response, .memory = memory};
}

static void drop_block(struct http2 *p)
{
	http2_block_free(p->block);
	p->block = NULL;
}

void http2_release(struct http2 *p)
{
	drop_block(p);
	if (p->heads)
		http2_heads_release(p->heads);
	memory_free(p->memory->account, p->heads);
	p->heads = NULL;
}

void http2_preface(struct http2 *p, unsigned seen)
{
	p->have = (uint8_t)(seen < HTTP2_PREFACE_SIZE ? seen : 0);
	p->state = seen < HTTP2_PREFACE_SIZE ? PREFACE : FRAME;
}

bool http2_is_lost(const struct http2 *p)
{
	return p->state == SYNC;
}

bool http2_next_frame(const struct http2 *p, uint32_t *ret_ahead)
{
	if (p->state == SYNC || p->state == PREFACE || (p->state == FRAME && p->have))
		return false;
	*ret_ahead = p->state == FRAME ? 0 : p->left;
	return true;
}

/* NULL: no memory. */
static struct http2_heads *heads_of(struct http2 *p)
{
	if (!p->heads) {
		p->heads = memory_calloc(p->memory->account, 1, sizeof(*p->heads));
		if (p->heads) {
			p->heads->hpack.memory = p->memory;
			p->heads->generation = p->generation;
		}
	}
	return p->heads;
}

static void forget_table(struct http2 *p)
{
	struct http2_heads *heads = heads_of(p);

	/* Without memory for it, the next block finds none either, and comes here again. */
	if (heads)
		http2_heads_forget(heads);
}

static void lose_place(struct http2 *p)
{
	drop_block(p);
	forget_table(p);
	p->state = SYNC;
	p->has_skipped = false;
	p->have = 0;
	p->sync = (struct http2_sync){0};
}

void http2_join(struct http2 *p)
{
	lose_place(p);
}

static void fail(struct http2 *p, const struct out *out, enum parse_fail why)
{
	lose_place(p);
	out->sink->fail(out->ctx, &p->at, why);
}

/* Of a header block of which only that is known. */
static const struct http2_head *unknown_head(void)
{
	static struct http2_note note;
	static const struct http2_head head = {
		.grpc_status = GRPC_STATUS_NONE, .unknown = 1, .note = &note};

	note = (struct http2_note){0};
	return &head;
}

/* What a whole header block says; never NULL. */
static const struct http2_head *read_block(struct http2 *p, const struct out *out, struct span data)
{
	struct http2_heads *heads = heads_of(p);
	const struct http2_head *head;
	int err = -ENOMEM;

	if (heads)
		err = http2_heads_read(heads, data, &head);
	if (!err)
		return head;
	out->sink->fail(out->ctx, &p->at, err == -ENOMEM ? PARSE_FAIL_MEMORY : PARSE_FAIL_BLOCK);
	return unknown_head();
}

static void end_block(struct http2 *p, const struct out *out)
{
	struct http2_block *b = p->block;
	struct http2_arrival at = p->at;
	const struct http2_head *head;

	at.first_ns = b->time_ns;
	p->block = NULL;
	if (b->is_lost) {
		forget_table(p);
		out->sink->fail(out->ctx, &p->at, (enum parse_fail)b->why);
		head = unknown_head();
	} else {
		head = read_block(p, out, (struct span){b->len ? b->data : "", b->len});
	}
	if (!b->is_push)
		out->sink->head(out->ctx, &at, b->stream, head, b->is_end);
	http2_block_free(b);
}

/* The frame at hand is complete; BODY and lost bytes are told of already. */
static void end_frame(struct http2 *p, const struct out *out)
{
	uint8_t state = p->state;

	p->state = FRAME;
	p->have = 0;
	if (state == BLOCK) {
		if (!http2_block_end_frame(p->block, &p->frame))
			fail(p, out, PARSE_FAIL_FRAME);
		else if (p->frame.flags & HTTP2_FLAG_END_HEADERS)
			end_block(p, out);
	}
}

/* What most header blocks are: all of it in one frame, all of that in one piece. */
static inline bool whole_block(struct http2 *p, struct span payload, const struct out *out)
{
	const struct http2_frame *f = &p->frame;
	const struct http2_head *head;

	if (!http2_block_trim(f, &payload))
		return false;
	head = read_block(p, out, payload);
	if (f->type == HTTP2_HEADERS)
		out->sink->head(out->ctx, &p->at, f->stream, head,
				f->flags & HTTP2_FLAG_END_STREAM);
	return true;
}

static void begin_block(struct http2 *p, const struct out *out)
{
	if (!p->block)
		p->block = http2_block_new(p->memory->account, &p->frame, p->at.first_ns);
	if (!p->block) {
		fail(p, out, PARSE_FAIL_MEMORY);
		return;
	}
	http2_block_frame(p->block);
	p->state = BLOCK;
	if (p->left == 0)
		end_frame(p, out);
}

/* len bytes of the payload of DATA; ptr NULL: uncopied. */
static size_t on_body(struct http2 *p, struct span data, const struct out *out)
{
	uint32_t stream = p->frame.stream;
	size_t body = p->left > p->pad ? p->left - p->pad : 0;
	bool is_end;

	if (data.len > p->left)
		data.len = p->left;
	if (body > data.len)
		body = data.len;
	p->left -= (uint32_t)data.len;
	is_end = p->left == 0 && p->frame.flags & HTTP2_FLAG_END_STREAM;
	if (p->left == 0)
		p->state = FRAME;
	if (body || is_end)
		out->sink->body(out->ctx, &p->at, stream, (struct span){data.ptr, body}, is_end);
	return data.len;
}

/* The header in p->frame is complete, and `rest` are the bytes behind it. Returns how many of those
 * were used. */
static size_t begin_frame(struct http2 *p, struct span rest, const struct out *out)
{
	const struct http2_frame *f = &p->frame;
	bool is_more = f->type == HTTP2_CONTINUATION;

	/* Nothing may come between the frames of a header block (RFC 9113 section 6.10). */
	if (!http2_frame_is_allowed(f) || (p->block != NULL) != is_more ||
	    (is_more && p->block->stream != f->stream)) {
		fail(p, out, PARSE_FAIL_FRAME);
		return rest.len;
	}
	p->left = f->len;
	p->pad = 0;
	p->have = 0;
	switch (f->type) {
	case HTTP2_HEADERS:
	case HTTP2_PUSH_PROMISE:
		if (rest.len >= f->len && f->flags & HTTP2_FLAG_END_HEADERS) {
			if (!whole_block(p, (struct span){rest.ptr, f->len}, out)) {
				fail(p, out, PARSE_FAIL_FRAME);
				return rest.len;
			}
			p->state = FRAME;
			return f->len;
		}
		begin_block(p, out);
		break;
	case HTTP2_CONTINUATION:
		begin_block(p, out);
		break;
	case HTTP2_DATA:
		if (f->len == 0 || !(f->flags & HTTP2_FLAG_PADDED)) {
			p->state = BODY;
			return on_body(p, rest, out);
		}
		p->state = PADDING;
		break;
	case HTTP2_RST_STREAM:
		p->state = SMALL;
		break;
	default:
		if (rest.len >= f->len) {
			p->state = FRAME;
			return f->len;
		}
		p->state = PASS;
		break;
	}
	return 0;
}

/* A frame header that is not whole in one piece. */
static __attribute__((noinline)) size_t on_partial(struct http2 *p, struct span data,
						   const struct out *out)
{
	size_t used = HTTP2_FRAME_HEAD - (size_t)p->have;

	if (used > data.len)
		used = data.len;
	memcpy(p->bytes + p->have, data.ptr, used);
	p->have = (uint8_t)(p->have + used);
	if (p->have == HTTP2_FRAME_HEAD) {
		p->frame = http2_frame_read(p->bytes);
		used += begin_frame(p, span_from(data, used), out);
	}
	return used;
}

/* Where a frame starts. Returns how many bytes were used. */
static inline size_t on_frame(struct http2 *p, struct span data, uint64_t time_ns,
			      const struct out *out)
{
	if (p->have == 0) {
		p->at.first_ns = time_ns;
		if (data.len >= HTTP2_FRAME_HEAD) {
			p->frame = http2_frame_read(data.ptr);
			return HTTP2_FRAME_HEAD +
			       begin_frame(p, span_from(data, HTTP2_FRAME_HEAD), out);
		}
	}
	return on_partial(p, data, out);
}

static size_t on_padding(struct http2 *p, struct span data, const struct out *out)
{
	p->pad = (uint8_t)data.ptr[0];
	p->left--;
	if (p->pad > p->left) {
		fail(p, out, PARSE_FAIL_FRAME);
		return data.len;
	}
	p->state = BODY;
	if (p->left == 0)
		(void)on_body(p, (struct span){"", 0}, out); /* uses nothing */
	return 1;
}

static void end_reset(struct http2 *p, uint32_t code, const struct out *out)
{
	end_frame(p, out);
	out->sink->reset(out->ctx, &p->at, p->frame.stream, code);
}

static size_t on_small(struct http2 *p, struct span data, const struct out *out)
{
	size_t n = data.len < p->left ? data.len : p->left;
	const uint8_t *b = p->bytes;

	memcpy(p->bytes + p->have, data.ptr, n);
	p->have = (uint8_t)(p->have + n);
	p->left -= (uint32_t)n;
	if (p->left == 0)
		end_reset(p,
			  (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3],
			  out);
	return n;
}

static size_t on_preface(struct http2 *p, struct span data, const struct out *out)
{
	size_t n = HTTP2_PREFACE_SIZE - (size_t)p->have;

	if (n > data.len)
		n = data.len;
	if (memcmp(data.ptr, &HTTP2_PREFACE[p->have], n) != 0) {
		fail(p, out, PARSE_FAIL_FRAME);
		return data.len;
	}
	p->have = (uint8_t)(p->have + n);
	if (p->have == HTTP2_PREFACE_SIZE) {
		p->state = FRAME;
		p->have = 0;
	}
	return n;
}

static __attribute__((noinline)) size_t on_other(struct http2 *p, struct span data,
						 const struct out *out)
{
	size_t n = data.len < p->left ? data.len : p->left;

	switch (p->state) {
	case BODY:
		return on_body(p, data, out);
	case PADDING:
		return on_padding(p, data, out);
	case SMALL:
		return on_small(p, data, out);
	case PREFACE:
		return on_preface(p, data, out);
	case SYNC: /* only a piece may begin anew */
		return data.len;
	default:
		if (p->state == BLOCK)
			http2_block_add(p->block, (struct span){data.ptr, n});
		p->left -= (uint32_t)n;
		if (p->left == 0)
			end_frame(p, out);
		return n;
	}
}

/* In SYNC: the offset of a frame in data, or all of it. */
static size_t find_place(struct http2 *p, struct span data, bool is_frame)
{
	size_t at = is_frame ? 0 : http2_sync_find(&p->sync, data, true);

	if (at == HTTP2_SYNC_NONE)
		return data.len;
	p->state = is_frame && data.ptr[0] == HTTP2_PREFACE[0] ? PREFACE : FRAME;
	p->have = 0;
	return at;
}

void http2_data(struct http2 *p, struct span data, enum http2_start start, uint64_t time_ns,
		const struct http2_sink *sink, void *ctx)
{
	bool is_frame = start == HTTP2_START_FRAME;
	const struct out out = {sink, ctx};
	size_t used;

	p->at.last_ns = time_ns;
	/* Who skips frames mostly tells where they end; what fills a hole comes without. */
	if (p->has_skipped) {
		/* Stored on no other way: the word that it is in is read next. */
		p->has_skipped = false;
		if (start == HTTP2_START_UNTOLD && data.len >= HTTP2_FRAME_HEAD &&
		    !http2_frame_is_likely(data.ptr))
			fail(p, &out, PARSE_FAIL_LOST);
	}
	/* Who knows better, knows that frames were missed. */
	if (is_frame && p->state != SYNC && p->state != PREFACE && (p->state != FRAME || p->have))
		fail(p, &out, PARSE_FAIL_LOST);
	p->has_begun = false;
	if (p->state == SYNC) {
		used = find_place(p, data, is_frame);
		p->has_begun = used == 0;
		data = span_from(data, used);
	}
	for (; data.len > 0; data = span_from(data, used)) {
		if (p->state == FRAME)
			used = on_frame(p, data, time_ns, &out);
		else
			used = on_other(p, data, &out);
	}
}

/* Uncopied or lost bytes of the frame at hand; how many. */
static uint64_t pass(struct http2 *p, uint64_t len, bool is_lost, const struct out *out)
{
	uint32_t n = len < p->left ? (uint32_t)len : p->left;
	bool is_end = n == p->left && p->frame.flags & HTTP2_FLAG_END_STREAM;

	switch (p->state) {
	case PADDING: /* the length of the padding is among them, so all of it counts as body */
		p->state = BODY;
		/* fall through */
	case BODY:
		if (is_lost && is_end)
			p->frame.flags &= (uint8_t)~HTTP2_FLAG_END_STREAM;
		(void)on_body(p, (struct span){NULL, n}, out); /* all of n */
		if (is_lost && is_end)
			out->sink->lost_end(out->ctx, &p->at, p->frame.stream);
		return n;
	case BLOCK:
		http2_block_lose(p->block, PARSE_FAIL_LOST);
		break;
	case SMALL:
		/* Which code it was is lost; that it was is not. */
		memset(p->bytes, UINT8_MAX, sizeof(p->bytes));
		p->have = 0;
		p->left -= n;
		if (p->left == 0)
			end_reset(p, UINT32_MAX, out);
		else
			p->have = (uint8_t)(4 - p->left);
		return n;
	case PASS:
		break;
	default:
		return 0;
	}
	p->left -= n;
	if (p->left == 0)
		end_frame(p, out);
	return n;
}

void http2_skip(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx)
{
	const struct out out = {sink, ctx};

	if (len == 0)
		return;
	p->at.last_ns = time_ns;
	if (p->state == SYNC) {
		http2_sync_skip(&p->sync, len);
		return;
	}
	if (p->state != FRAME)
		len -= pass(p, len, false, &out);
	if (len == 0)
		return;
	/* The rest are whole frames that concern no stream; but in a header nothing is skipped. */
	if (p->state != FRAME || p->have || p->block)
		fail(p, &out, PARSE_FAIL_LOST);
	else
		p->has_skipped = true;
}

void http2_lost(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx)
{
	const struct out out = {sink, ctx};

	if (len == 0)
		return;
	p->at.last_ns = time_ns;
	if (p->state == SYNC)
		http2_sync_skip(&p->sync, len);
	else if (len > pass(p, len, true, &out))
		fail(p, &out, PARSE_FAIL_LOST);
}
