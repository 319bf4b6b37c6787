/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2.h"

#include <errno.h>
#include <string.h>

#include "proto/grpc.h"
#include "proto/http2_block.h"

enum http2_state { FRAME, PREFACE, BLOCK, PADDING, BODY, RESET, IGNORE, SYNC };

/*
 * The sink and its context. Passed by address: by value, the compiler stores two words and reads
 * them back as one, which stalls on store forwarding.
 */
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
	http2_heads_free(p->heads);
	p->heads = NULL;
}

void http2_preface(struct http2 *p, unsigned seen)
{
	p->have = (uint8_t)(seen < HTTP2_PREFACE_SIZE ? seen : 0);
	p->state = seen < HTTP2_PREFACE_SIZE ? PREFACE : FRAME;
}

bool http2_is_out_of_sync(const struct http2 *p)
{
	return p->state == SYNC;
}

/* Returns NULL if there is no memory. */
static struct http2_heads *heads_of(struct http2 *p)
{
	if (!p->heads)
		p->heads = http2_heads_new(p->memory, p->generation, p->wants_trace, p->observer);
	return p->heads;
}

bool http2_next_frame(const struct http2 *p, uint32_t *ret_ahead)
{
	if (p->state == SYNC || p->state == PREFACE || (p->state == FRAME && p->have))
		return false;
	*ret_ahead = p->state == FRAME ? 0 : p->left;
	return true;
}

static void forget_table(struct http2 *p)
{
	struct http2_heads *heads = heads_of(p);

	/* Without memory the next block fails in the same way and tries again. */
	if (heads)
		http2_heads_forget(heads);
}

static void lose_sync(struct http2 *p)
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
	lose_sync(p);
}

static void fail(struct http2 *p, const struct out *out, enum parse_fail why)
{
	lose_sync(p);
	out->sink->fail(out->ctx, &p->at, why);
}

/* Decodes a complete header block; never returns NULL. stream 0: of no stream's head. */
static const struct http2_head *read_block(struct http2 *p, const struct out *out, struct span data,
					   uint32_t stream, bool is_end)
{
	struct http2_heads *heads = heads_of(p);
	const struct http2_head *head;
	int err = -ENOMEM;

	if (heads) {
		heads->stream = stream;
		heads->is_end = is_end;
		err = http2_heads_read(heads, data, &head);
	}
	if (!err)
		return head;
	out->sink->fail(out->ctx, &p->at, err == -ENOMEM ? PARSE_FAIL_MEMORY : PARSE_FAIL_BLOCK);
	return http2_head_unknown();
}

static void end_block(struct http2 *p, const struct out *out)
{
	struct http2_block *b = p->block;
	struct http2_arrival at = p->at;
	const struct http2_head *head;

	at.first_ns = b->time_ns;
	at.weight = b->weight;
	p->block = NULL;
	if (b->is_lost) {
		forget_table(p);
		out->sink->fail(out->ctx, &p->at, (enum parse_fail)b->why);
		head = http2_head_unknown();
	} else {
		head = read_block(p, out, (struct span){b->len ? b->data : "", b->len},
				  b->is_push ? 0 : b->stream, b->is_end);
	}
	if (!b->is_push)
		out->sink->head(out->ctx, &at, b->stream, head, b->is_end);
	http2_block_free(b);
}

/* The current frame is complete. DATA and lost bytes are reported before. */
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

/* Decodes a header block that is complete in one frame and one segment, as most are. */
static inline bool whole_block(struct http2 *p, struct span payload, const struct out *out)
{
	const struct http2_frame *f = &p->frame;
	const struct http2_head *head;

	p->at.weight = 0;
	if (!http2_block_trim(f, &payload, &p->at.weight))
		return false;
	head = read_block(p, out, payload, f->type == HTTP2_HEADERS ? f->stream : 0,
			  f->flags & HTTP2_FLAG_END_STREAM);
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

/* Bytes of the payload of DATA; ptr NULL: not copied. Returns how many were used. */
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

/*
 * The header in p->frame is complete; `rest` are the bytes after it. Returns how many of them were
 * used.
 */
static size_t begin_frame(struct http2 *p, struct span rest, const struct out *out)
{
	const struct http2_frame *f = &p->frame;
	bool is_more = f->type == HTTP2_CONTINUATION;

	/* No other frame may come between the frames of a header block (RFC 9113 section 6.10). */
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
		p->state = RESET;
		break;
	default:
		if (rest.len >= f->len) {
			p->state = FRAME;
			return f->len;
		}
		p->state = IGNORE;
		break;
	}
	return 0;
}

/* Collects a frame header that spans segments. Returns how many bytes were used. */
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

/* Bytes at the start of a frame or inside its header. Returns how many were used. */
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
		(void)on_body(p, (struct span){"", 0}, out); /* an empty body; no bytes are used */
	return 1;
}

static void end_reset(struct http2 *p, uint32_t code, const struct out *out)
{
	end_frame(p, out);
	out->sink->reset(out->ctx, &p->at, p->frame.stream, code);
}

static size_t on_reset(struct http2 *p, struct span data, const struct out *out)
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
	case RESET:
		return on_reset(p, data, out);
	case PREFACE:
		return on_preface(p, data, out);
	case SYNC: /* SYNC is left only by find_sync() */
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

/* In SYNC: returns the offset of a frame in data, or the length of data if there is none. */
static size_t find_sync(struct http2 *p, struct span data, bool is_frame)
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
	/*
	 * A source that skips frames marks the frame that follows them. A segment without that mark
	 * fills a sequence gap, or is out of sync if it does not look like a frame.
	 */
	if (p->has_skipped) {
		/*
		 * Written only here: an unconditional store would delay the load of the word it is
		 * in.
		 */
		p->has_skipped = false;
		if (start == HTTP2_START_UNMARKED && data.len >= HTTP2_FRAME_HEAD &&
		    !http2_frame_is_likely(data.ptr))
			fail(p, &out, PARSE_FAIL_LOST);
	}
	/* The source knows that a frame starts here, so the parser has missed frames. */
	if (is_frame && p->state != SYNC && p->state != PREFACE && (p->state != FRAME || p->have))
		fail(p, &out, PARSE_FAIL_LOST);
	p->has_resynced = false;
	if (p->state == SYNC) {
		used = find_sync(p, data, is_frame);
		p->has_resynced = used == 0;
		data = span_from(data, used);
	}
	for (; data.len > 0; data = span_from(data, used)) {
		if (p->state == FRAME)
			used = on_frame(p, data, time_ns, &out);
		else
			used = on_other(p, data, &out);
	}
}

/* Skipped or lost bytes of the current frame. Returns how many of len belong to it. */
static uint64_t ignore(struct http2 *p, uint64_t len, bool is_lost, const struct out *out)
{
	uint32_t n = len < p->left ? (uint32_t)len : p->left;
	bool is_end = n == p->left && p->frame.flags & HTTP2_FLAG_END_STREAM;

	switch (p->state) {
	case PADDING: /* the pad length is among them: all of the payload counts as body */
		p->state = BODY;
		/* fall through */
	case BODY:
		if (is_lost && is_end)
			p->frame.flags &= (uint8_t)~HTTP2_FLAG_END_STREAM;
		(void)on_body(p, (struct span){NULL, n}, out); /* uses all n bytes */
		if (is_lost && is_end)
			out->sink->lost_end(out->ctx, &p->at, p->frame.stream);
		return n;
	case BLOCK:
		http2_block_lose(p->block, PARSE_FAIL_LOST);
		break;
	case RESET:
		/* The reset is known, its error code is not. */
		memset(p->bytes, UINT8_MAX, sizeof(p->bytes));
		p->have = 0;
		p->left -= n;
		if (p->left == 0)
			end_reset(p, UINT32_MAX, out);
		else
			p->have = (uint8_t)(4 - p->left);
		return n;
	case IGNORE:
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
		len -= ignore(p, len, false, &out);
	if (len == 0)
		return;
	/* The rest are whole frames of stream 0, unless the skip began inside a header. */
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
	else if (len > ignore(p, len, true, &out))
		fail(p, &out, PARSE_FAIL_LOST);
}
