/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1.h"

#include "proto/http1_body.h"
#include "proto/http1_chunk.h"
#include "proto/http1_head.h"
#include "proto/http1_head_cache.h"
#include "proto/http1_optional.h"
#include "proto/http1_partial.h"

void http1_init(struct http1 *p, bool is_response)
{
	*p = (struct http1){.is_response = is_response};
}

void http1_release(struct http1 *p)
{
	http1_partial_free(p->partial);
	http1_init(p, p->is_response);
}

void http1_tunnel(struct http1 *p)
{
	http1_partial_free(p->partial);
	p->partial = NULL;
	p->state = HTTP1_TUNNEL;
}

bool http1_holds_head(const struct http1 *p)
{
	return p->state == HTTP1_HEAD && !p->partial->is_reported;
}

/* True if bytes of the head were skipped. */
static bool is_unframed_head(const struct http1 *p)
{
	return p->state == HTTP1_HEAD && p->partial->is_unframed;
}

/* True if the end of the message may have been skipped: the next message or the close ends it. */
static bool may_have_ended(const struct http1 *p)
{
	return is_unframed_head(p) ||
	       (p->state == HTTP1_UNFRAMED && http1_unframed_may_have_ended(p));
}

bool http1_is_unframed(const struct http1 *p)
{
	return p->state == HTTP1_UNFRAMED || is_unframed_head(p);
}

void http1_body_optional(struct http1 *p)
{
	p->is_body_optional = p->body_bytes == 0;
}

void http1_resync(struct http1 *p)
{
	http1_partial_free(p->partial);
	p->partial = NULL;
	p->held = 0;
	p->state = HTTP1_SYNC;
}

/* The start line is malformed. That is not reported if its position was only a guess. */
static void bad_start(struct http1 *p, struct http1_out out)
{
	http1_partial_free(p->partial);
	p->partial = NULL;
	if (p->is_resync)
		p->state = HTTP1_SYNC;
	else
		http1_fail(p, out, PARSE_FAIL_START_LINE, false);
}

/*
 * Reports the buffered head, complete or truncated; returns false if it is malformed. Its bytes
 * stay until the callback returns, even if that begins a tunnel.
 */
static bool partial_head(struct http1 *p, struct http1_out out, bool is_truncated)
{
	struct http1_partial *part = p->partial;
	struct http1_head h;
	enum http1_body body;

	if (http1_partial_parse(part, p->is_response, is_truncated, &h) != HTTP1_HEAD_DONE)
		return false;
	h.m.time_ns = part->time_ns;
	p->partial = NULL;
	p->body_bytes = 0; /* a body that was lost before has no end */
	body = http1_body_kind(p, &h.m, out.sink->head(out.ctx, &h.m));
	if (is_truncated && body != HTTP1_BODY_TUNNEL) {
		http1_partial_report(part, &h.framing, body);
		p->partial = part;
		p->is_resync = false;
		return true;
	}
	http1_partial_free(part);
	http1_body_begin(p, out, &h.framing, body);
	return true;
}

/* The end of a head that is reported already. */
static void end_reported_head(struct http1 *p, struct http1_out out)
{
	struct http1_framing framing = p->partial->framing;
	enum http1_body body = p->partial->body;

	http1_partial_free(p->partial);
	p->partial = NULL;
	http1_body_begin(p, out, &framing, body);
}

/*
 * The current message, whose framing was lost, has ended: the next one begins, or the direction
 * ends.
 */
static void end_unframed(struct http1 *p, struct http1_out out)
{
	http1_partial_free(p->partial);
	p->partial = NULL;
	if (p->state == HTTP1_UNFRAMED)
		http1_body_miss_trailers(p, out);
	http1_end(p, out);
}

/* Adds data to a partial head. Returns how many bytes were used. */
static size_t on_head(struct http1 *p, struct span data, struct http1_out out)
{
	struct http1_partial *part = p->partial;
	size_t used = 0;

	if (p->is_resync && part->len && !part->line &&
	    http1_head_has_start(data, p->is_response)) {
		/*
		 * The bytes before may be "P" of "POST / HTTP/1.1", or the end of a body: the
		 * parser can't know.
		 */
		bad_start(p, out);
		return data.len;
	}
	switch (http1_partial_add(part, data, p->is_response, &used)) {
	case HTTP1_PARTIAL_MORE:
		break;
	case HTTP1_PARTIAL_DONE:
		if (part->is_reported)
			end_reported_head(p, out);
		else
			(void)partial_head(p, out, false); /* the start line is known to be valid */
		break;
	case HTTP1_PARTIAL_FULL:
		if (partial_head(p, out, true))
			out.sink->fail(out.ctx, p->is_response, PARSE_FAIL_HEAD_TOO_LARGE, false);
		else
			bad_start(p, out);
		break;
	case HTTP1_PARTIAL_BAD:
		bad_start(p, out);
		break;
	default:
		http1_fail(p, out, PARSE_FAIL_MEMORY, part->is_reported);
		break;
	}
	return used;
}

/*
 * Reports a parsed head of which `there` bytes follow, head included. Returns how many were used.
 */
static inline size_t on_parsed_head(struct http1 *p, struct http1_head *h, size_t there,
				    uint64_t time_ns, struct http1_out out)
{
	uint64_t whole = h->message_len;
	size_t len = h->len;
	enum http1_body body;

	h->m.time_ns = time_ns;
	body = out.sink->head(out.ctx, &h->m);
	/* Most messages are complete in one segment. */
	if (body == HTTP1_BODY_FRAMED && p->state == HTTP1_START && whole - 1 < there) {
		p->is_resync = false;
		p->body_bytes = whole - len;
		http1_end(p, out);
		return (size_t)whole;
	}
	http1_body_begin(p, out, &h->framing, http1_body_kind(p, &h->m, body));
	return len;
}

/* Parses a head that is not cached. Returns how many bytes were used. */
static __attribute__((noinline)) size_t parse_head(struct http1 *p, struct span data,
						   uint64_t time_ns, struct http1_out out)
{
	struct http1_head h;

	switch (http1_head_parse(&h, data, p->is_response)) {
	case HTTP1_HEAD_DONE:
		return on_parsed_head(p, &h, data.len, time_ns, out);
	case HTTP1_HEAD_BAD:
		bad_start(p, out);
		return 0;
	default:
		p->partial = http1_partial_new(p->memory, time_ns);
		if (!p->partial)
			http1_fail(p, out, PARSE_FAIL_MEMORY, false);
		else
			p->state = HTTP1_HEAD;
		return 0;
	}
}

/* The first bytes of a message: nearly always a complete head, and often a complete message. */
static inline size_t on_start(struct http1 *p, struct span data, uint64_t time_ns,
			      struct http1_out out)
{
	struct http1_head *known;
	size_t used = 0;

	/* Some clients send CR LF after a body, and servers ignore it (RFC 9112 section 2.2). */
	if (data.ptr[0] <= '\r') {
		while (used < data.len && (data.ptr[used] == '\r' || data.ptr[used] == '\n'))
			used++;
		if (used == data.len)
			return used;
		data = span_from(data, used);
	}
	known = http1_head_cache_parse(data, p->is_response);
	if (known)
		return used + on_parsed_head(p, known, data.len, time_ns, out);
	return used + parse_head(p, data, time_ns, out);
}

static void feed(struct http1 *p, struct span data, struct http1_out out);

/* The first bytes in place of a body that may be missing. Returns how many were used. */
static size_t on_optional(struct http1 *p, struct span data, struct http1_out out)
{
	enum http1_optional next = http1_optional_add(p, data);

	if (next == HTTP1_OPTIONAL_HELD)
		return data.len;
	if (next == HTTP1_OPTIONAL_MESSAGE)
		http1_end(p, out);
	feed(p, http1_optional_take(p), out);
	return 0;
}

/* Bytes that were held are body. */
static void release_held(struct http1 *p, struct http1_out out)
{
	if (p->held)
		feed(p, http1_optional_take(p), out);
}

/* Bytes inside a message. Returns how many were used. */
static __attribute__((noinline)) size_t on_inside(struct http1 *p, struct span data,
						  struct http1_out out)
{
	switch (p->state) {
	case HTTP1_HEAD:
		return on_head(p, data, out);
	case HTTP1_LENGTH:
	case HTTP1_CHUNKED:
	case HTTP1_CLOSE:
		if (http1_is_optional(p))
			return on_optional(p, data, out);
		if (p->state == HTTP1_LENGTH)
			return (size_t)http1_body_pass(p, data.len, out);
		if (p->state == HTTP1_CLOSE)
			p->body_bytes += data.len;
		return p->state == HTTP1_CLOSE ? data.len : http1_body_chunked(p, data, out);
	case HTTP1_UNFRAMED:
		return http1_body_chunked(p, data, out);
	case HTTP1_TUNNEL:
		if (out.sink->tunnel)
			out.sink->tunnel(out.ctx, p->is_response, data, p->last_ns);
		return data.len;
	default: /* SYNC is left only at the start of a segment */
		return data.len;
	}
}

/* The bytes of whatever state the parser is in. */
static void feed(struct http1 *p, struct span data, struct http1_out out)
{
	size_t used;

	for (; data.len > 0; data = span_from(data, used)) {
		if (p->state == HTTP1_START)
			used = on_start(p, data, p->last_ns, out);
		else
			used = on_inside(p, data, out);
	}
}

/* The general case of http1_data(). */
static __attribute__((noinline)) void any_data(struct http1 *p, struct span data, uint64_t time_ns,
					       struct http1_out out)
{
	if (data.len == 0)
		return;
	if (may_have_ended(p) && http1_head_has_start(data, p->is_response))
		end_unframed(p, out); /* at the time of its last byte */
	p->last_ns = time_ns;
	if (p->state == HTTP1_SYNC) {
		if (!http1_head_starts(data, p->is_response))
			return;
		p->state = HTTP1_START;
		p->is_resync = true;
	}
	feed(p, data, out);
}

void http1_data(struct http1 *p, struct span data, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx)
{
	struct http1_head *known =
		p->state == HTTP1_START
			? http1_head_cache_find(data, p->is_response, &p->cache_slot)
			: NULL;
	size_t used = 0;

	/* Most segments are one complete message whose head is cached. */
	if (known) {
		p->last_ns = time_ns;
		used = on_parsed_head(p, known, data.len, time_ns, (struct http1_out){sink, ctx});
		if (used == data.len)
			return;
	}
	any_data(p, span_from(data, used), time_ns, (struct http1_out){sink, ctx});
}

/* Bytes of a head were skipped. Sources skip bytes of a head only beyond its limit. */
static void skip_head(struct http1 *p, struct http1_out out)
{
	bool is_news = !p->partial->is_reported;

	/* A truncated target has no known route. */
	if (is_news && (!p->partial->line || !http1_truncate_head(p, out.sink, out.ctx))) {
		http1_fail(p, out, PARSE_FAIL_LOST, false);
		return;
	}
	if (is_news)
		out.sink->fail(out.ctx, p->is_response, PARSE_FAIL_HEAD_TOO_LARGE, false);
	if (p->state == HTTP1_HEAD) /* unless the callback began a tunnel */
		http1_partial_skip(p->partial);
}

void http1_skip(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx)
{
	struct http1_out out = {sink, ctx};

	if (len == 0)
		return;
	release_held(p, out);
	p->last_ns = time_ns;
	if (p->state == HTTP1_LENGTH) {
		len -= http1_body_pass(p, len, out);
		if (len == 0)
			return;
	}
	switch (p->state) {
	case HTTP1_CHUNKED:
		if (!http1_chunk_skip(p, len)) {
			http1_unframed_skip(p);
			p->state = HTTP1_UNFRAMED;
		}
		p->body_bytes += len;
		break;
	case HTTP1_UNFRAMED:
		http1_unframed_skip(p);
		p->body_bytes += len;
		break;
	case HTTP1_CLOSE:
		p->body_bytes += len;
		break;
	case HTTP1_HEAD:
		skip_head(p, out);
		break;
	case HTTP1_START:
		http1_fail(p, out, PARSE_FAIL_LOST, false);
		break;
	default:
		break;
	}
}

uint64_t http1_data_left(const struct http1 *p)
{
	if (p->state == HTTP1_CHUNKED)
		return http1_chunk_left(p);
	return p->state == HTTP1_LENGTH ? p->body_left : 0;
}

void http1_lost(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx)
{
	struct http1_out out = {sink, ctx};

	if (len == 0)
		return;
	release_held(p, out);
	if (p->state == HTTP1_CHUNKED && http1_chunk_skip(p, len)) {
		p->last_ns = time_ns;
		p->body_bytes += len;
	} else if (p->state == HTTP1_CHUNKED || p->state == HTTP1_UNFRAMED) {
		/* The end of the body and further messages may be among the lost bytes. */
		http1_fail(p, out, PARSE_FAIL_LOST, true);
	} else if (p->state == HTTP1_HEAD) {
		http1_fail(p, out, PARSE_FAIL_LOST, p->partial->is_reported);
	} else {
		http1_skip(p, len, time_ns, sink, ctx);
	}
}

void http1_fin(struct http1 *p, uint64_t time_ns, const struct http1_sink *sink, void *ctx)
{
	struct http1_out out = {sink, ctx};

	(void)time_ns; /* the last byte came earlier: last_ns */
	release_held(p, out);
	if (p->state == HTTP1_CLOSE || may_have_ended(p))
		end_unframed(p, out);
	else if (p->state == HTTP1_UNFRAMED && !http1_unframed_saw_last_byte(p))
		http1_fail(p, out, PARSE_FAIL_LOST,
			   true); /* the lost bytes may have been its end */
}

bool http1_truncate_head(struct http1 *p, const struct http1_sink *sink, void *ctx)
{
	return http1_holds_head(p) && partial_head(p, (struct http1_out){sink, ctx}, true);
}
