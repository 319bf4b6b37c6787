/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 parser. The first byte of the input is a digit: bit 0 says that it is a response, bits 1
 * and 2 the result of head() for responses (see body_of()). The rest of the input is data, except
 * that the byte 0xff begins a command:
 *
 *     | a segment ends here   s N  skip N    l N  lose N    c  cut the head    f  fin
 *
 * (N is one byte, times 16). It holds that
 *   - calls pair: head, then end, or a fail that says so, then the next head;
 *   - bodies do not have more bytes than came in;
 *   - memory stays under the limit of a head;
 *   - as long as there was data only, and nothing failed, segmentation changes nothing;
 *   - a cached head equals the parsed head, in its trace context, too, which is not all zeros.
 */
#include <string.h>

#include "../unit/http1_trace.h"
#include "fuzz.h"
#include "proto/http1_head_cache.h"
#include "proto/http1_partial.h"
#include "proto/http1_trace_context.h"

struct run {
	struct http1 p;
	struct http1_trace t;
	uint64_t fed;
};

static void check(const struct run *r)
{
	fuzz_check(!r->t.is_wrong);
	fuzz_check(r->t.body_bytes <= r->fed);
	fuzz_check(!r->p.partial || r->p.partial->alloc <= HTTP1_HEAD_MAX);
	fuzz_check(!r->p.partial || http1_is_inside(&r->p));
}

/* One segment, in memory of its own size. */
static void feed(struct run *r, const uint8_t *data, size_t n)
{
	char *copy = malloc(n ? n : 1);

	fuzz_check(copy != NULL);
	memcpy(copy, data, n);
	r->fed += n;
	http1_data(&r->p, (struct span){copy, n}, 1, &trace_sink, &r->t);
	free(copy);
	check(r);
}

static enum http1_body body_of(uint8_t flags)
{
	static const enum http1_body bodies[] = {HTTP1_BODY_FRAMED, HTTP1_BODY_NONE,
						 HTTP1_BODY_TUNNEL, HTTP1_BODY_OPTIONAL};

	return bodies[flags >> 1 & 3];
}

static void begin(struct run *r, uint8_t flags)
{
	*r = (struct run){.t.answer = body_of(flags)};
	http1_init(&r->p, flags & 1);
	text_init(&r->t.text);
}

static void finish(struct run *r)
{
	text_release(&r->t.text);
	http1_release(&r->p);
}

static void script(uint8_t flags, const uint8_t *data, size_t size)
{
	struct run r;

	begin(&r, flags);
	while (size > 0) {
		const uint8_t *mark = memchr(data, 0xff, size);
		size_t n = mark ? (size_t)(mark - data) : size;
		uint64_t len;

		feed(&r, data, n);
		data += n;
		size -= n;
		if (size < 3)
			break;
		len = (uint64_t)data[2] * 16;
		switch (data[1]) {
		case 's':
			http1_skip(&r.p, len, 1, &trace_sink, &r.t);
			r.fed += len;
			break;
		case 'l':
			http1_lost(&r.p, len, 1, &trace_sink, &r.t);
			r.fed += len;
			break;
		case 'c':
			(void)http1_truncate_head(&r.p, &trace_sink, &r.t); /* the trace tells */
			break;
		case 'f':
			http1_fin(&r.p, 1, &trace_sink, &r.t);
			break;
		default: /* 0xff and another byte: a new segment */
			break;
		}
		check(&r);
		n = data[1] == 's' || data[1] == 'l' ? 3 : 2;
		data += n;
		size -= n;
	}
	http1_fin(&r.p, 1, &trace_sink, &r.t);
	check(&r);
	finish(&r);
}

/* The log of data cut into segments of `segment` bytes, up to the first failure. */
static struct text calls(uint8_t flags, const uint8_t *data, size_t size, size_t segment)
{
	struct text text;
	struct run r;

	begin(&r, flags);
	for (size_t at = 0; at < size; at += segment)
		feed(&r, data + at, segment < size - at ? segment : size - at);
	if (r.t.first_fail > 0)
		r.t.text.len = r.t.first_fail;
	else if (http1_is_inside(&r.p))
		text_add(&r.t.text, "inside");
	text = r.t.text;
	text_init(&r.t.text);
	finish(&r);
	return text;
}

static void cuts(uint8_t flags, const uint8_t *data, size_t size)
{
	static const size_t lengths[] = {1, 3, 16, 100};
	struct text whole = calls(flags, data, size, size);

	/* Small segments of large inputs take long. */
	for (size_t i = size > 1024 ? 2 : 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct text cut = calls(flags, data, size, lengths[i]);

		fuzz_check(span_eq(text_span(&whole), text_span(&cut)));
		text_release(&cut);
	}
	text_release(&whole);
}

static void check_trace(const struct message *a, const struct message *b)
{
	static const uint8_t zeros[TRACE_ID_BYTES];
	struct trace_context of_a;
	struct trace_context of_b;
	bool is_valid = a->has_trace_fields && http1_trace_context(a, &of_a);

	fuzz_check(is_valid == (b->has_trace_fields && http1_trace_context(b, &of_b)));
	if (!is_valid)
		return;
	fuzz_check(memcmp(&of_a, &of_b, sizeof(of_a)) == 0);
	fuzz_check(memcmp(of_a.trace_id, zeros, sizeof(of_a.trace_id)) != 0);
	fuzz_check(memcmp(of_a.span_id, zeros, sizeof(of_a.span_id)) != 0);
}

static void memory(bool is_response, const uint8_t *data, size_t size)
{
	struct span s = {(const char *)data, size};
	struct http1_head *known;
	struct http1_head h;

	for (int i = 0; i < 2; i++) {
		known = http1_head_cache_parse(s, is_response);
		if (!known)
			return;
		fuzz_check(http1_head_parse(&h, s, is_response) == HTTP1_HEAD_DONE);
		fuzz_check(h.len == known->len && h.m.status == known->m.status);
		fuzz_check(span_eq(h.m.method, known->m.method));
		fuzz_check(span_eq(h.m.target, known->m.target));
		fuzz_check(span_eq(h.m.host, known->m.host));
		fuzz_check(span_eq(h.m.fields, known->m.fields));
		check_trace(&h.m, &known->m);
		fuzz_check(h.framing.length == known->framing.length);
		fuzz_check(h.framing.is_chunked == known->framing.is_chunked);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *mark;

	if (size == 0)
		return 0;
	script(data[0], data + 1, size - 1);
	mark = memchr(data + 1, 0xff, size - 1);
	cuts(data[0], data + 1, mark ? (size_t)(mark - data) - 1 : size - 1);
	memory(data[0] & 1, data + 1, size - 1);
	return 0;
}
