/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 parser, one direction. Bits of the first byte: 0 it is a response, 1 joined mid-stream, 2
 * the client's preface is awaited, 3 no block is cached, 4 trace contexts are wanted, 5 all fields
 * are observed, 6 fields are recalled. The rest are commands of a letter and two bytes N:
 *
 *     d N  the next N bytes of the input are data        f N  the same, and start a frame
 *     s N  N bytes were skipped        l N  N bytes were lost
 *     h N  the next N bytes are a header list, behind one of the stream and END_STREAM
 *
 * It holds that
 *   - bodies have no more bytes than came in, streams have numbers, words are within their limits;
 *   - header tables give back what memory they took;
 *   - as long as there was data only, and synchronisation was not lost, segmentation changes
 * nothing.
 */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "proto/http2.h"

struct run {
	struct memory_budget budget;
	struct memory_account account;
	struct http2_memory memory;
	size_t table_bytes;
	struct http2 p;
	struct text trace;
	uint64_t fed;
	uint64_t body;
	unsigned fields; /* that the observer got of the newest block */
	struct http2_observer observer;
	uint64_t lists[HTTP2_RECALLED_MAX];
	bool has_failed; /* in a way that depends on the segmentation */
};

static void on_begin(void *ctx)
{
	((struct run *)ctx)->fields = 0;
}

/* Reads all of the spans. */
static void on_field(void *ctx, struct span name, struct span value)
{
	struct run *r = ctx;
	char *copy = malloc(name.len + value.len + 1);

	fuzz_check(copy != NULL);
	if (name.len)
		memcpy(copy, name.ptr, name.len);
	if (value.len)
		memcpy(copy + name.len, value.ptr, value.len);
	free(copy);
	r->fields++;
}

static void on_head(void *ctx, const struct http2_arrival *at, uint32_t stream,
		    const struct http2_head *head, bool is_end)
{
	struct run *r = ctx;

	fuzz_check(stream > 0 && head->attributes && at->first_ns && at->last_ns >= at->first_ns);
	fuzz_check(head->method.len <= HTTP2_METHOD_MAX && head->path.len <= HTTP2_PATH_MAX);
	fuzz_check(head->is_observed <= r->observer.is_on && at->weight <= 256);
	fuzz_check(!head->is_observed || head->unknown <= r->fields);
	if (head->is_observed)
		text_addf(&r->trace, "fields %u weight %u\n", r->fields, at->weight);
	fuzz_check(head->status == 0 || (head->status >= 100 && head->status <= 999));
	text_addf(&r->trace, "head %d %u %u %u %u %.*s %.*s %d\n", at->is_response, stream,
		  head->status, head->grpc_status, head->unknown, SPAN_ARG(head->method),
		  SPAN_ARG(head->path), is_end);
	fuzz_check(!head->has_trace || r->p.wants_trace);
	if (head->has_trace)
		text_add_hex(&r->trace, head->trace.trace_id, sizeof(head->trace.trace_id));
}

static void on_body(void *ctx, const struct http2_arrival *at, uint32_t stream, struct span body,
		    bool is_end)
{
	struct run *r = ctx;

	fuzz_check(stream > 0 && at->last_ns);
	r->body += body.len;
	/* Body callbacks depend on the segmentation: only the end of the body counts. */
	if (is_end)
		text_addf(&r->trace, "end %u at %llu\n", stream, (unsigned long long)r->body);
}

static void on_lost_end(void *ctx, const struct http2_arrival *at, uint32_t stream)
{
	(void)ctx;
	(void)at;
	fuzz_check(stream > 0);
}

static void on_reset(void *ctx, const struct http2_arrival *at, uint32_t stream, uint32_t code)
{
	struct run *r = ctx;

	fuzz_check(at->last_ns);
	text_addf(&r->trace, "reset %d %u %u\n", at->is_response, stream, code);
}

static void on_fail(void *ctx, const struct http2_arrival *at, enum parse_fail why)
{
	struct run *r = ctx;

	(void)at;
	fuzz_check(why < PARSE_FAIL_MAX);
	r->has_failed |= why == PARSE_FAIL_FRAME || why == PARSE_FAIL_LOST;
	if (!r->has_failed)
		text_addf(&r->trace, "fail %d\n", why);
}

static const struct http2_sink sink = {
	.head = on_head,
	.body = on_body,
	.lost_end = on_lost_end,
	.reset = on_reset,
	.fail = on_fail,
};

static void begin(struct run *r, uint8_t flags)
{
	static const uint64_t generation = 1;

	memset(r, 0, sizeof(*r));
	memory_budget_init(&r->budget, MEMORY_SHARES << 20);
	r->account.budget = &r->budget;
	r->memory = (struct http2_memory){&r->account, &r->table_bytes};
	text_init(&r->trace);
	http2_init(&r->p, flags & 1, &r->memory);
	r->p.generation = flags & 8 ? NULL : &generation;
	r->p.wants_trace = flags & 16;
	r->observer = (struct http2_observer){flags & 32, on_begin, on_field, r};
	r->p.observer = &r->observer;
	if (flags & 2)
		http2_join(&r->p);
	else if (flags & 4)
		http2_preface(&r->p, 0);
	if (flags & 64)
		http2_recall(&r->p, r->lists);
}

static void finish(struct run *r)
{
	text_release(&r->trace);
	http2_release(&r->p);
	fuzz_check(r->account.used == 0 && r->budget.used == 0 && r->table_bytes == 0);
}

/* One segment, in memory of its own size. */
static void feed(struct run *r, const uint8_t *data, size_t n, bool is_frame)
{
	char *copy = malloc(n ? n : 1);

	fuzz_check(copy != NULL);
	memcpy(copy, data, n);
	r->fed += n;
	if (n)
		http2_data(&r->p, (struct span){copy, n},
			   is_frame ? HTTP2_START_FRAME : HTTP2_START_UNMARKED, 1, &sink, r);
	free(copy);
	fuzz_check(r->body <= r->fed);
	fuzz_check(r->account.used <= r->budget.account_cap + 64);
}

/* In memory of its own size. */
static void add_list(struct run *r, const uint8_t *data, size_t n)
{
	struct http2_list list = {.stream = n ? data[0] >> 1 : 0, .is_end = n && data[0] & 1};
	size_t len = n ? n - 1 : 0;
	char *copy = malloc(len + 1);

	fuzz_check(copy != NULL);
	if (len)
		memcpy(copy, data + 1, len);
	list.text = (struct span){copy, len};
	(void)http2_add_list(&r->p, &list);
	free(copy);
}

static void script(uint8_t flags, const uint8_t *data, size_t size)
{
	struct run r;

	begin(&r, flags);
	while (size >= 3) {
		size_t n = (size_t)data[1] << 8 | data[2];
		char what = (char)data[0];

		data += 3;
		size -= 3;
		if (what == 's' || what == 'l') {
			(what == 's' ? http2_skip : http2_lost)(&r.p, n, 1, &sink, &r);
			r.fed += n;
			continue;
		}
		n = n < size ? n : size;
		if (what == 'h')
			add_list(&r, data, n);
		else
			feed(&r, data, n, what == 'f');
		data += n;
		size -= n;
	}
	finish(&r);
}

/* The log of data cut into segments, up to the first loss of synchronisation. */
static struct text calls(uint8_t flags, const uint8_t *data, size_t size, size_t segment)
{
	struct text text;
	struct run r;

	begin(&r, flags | 8);
	for (size_t at = 0; at < size && !r.has_failed; at += segment)
		feed(&r, data + at, segment < size - at ? segment : size - at, false);
	text = r.trace;
	text_init(&r.trace);
	finish(&r);
	return text;
}

static void cuts(uint8_t flags, const uint8_t *data, size_t size)
{
	static const size_t lengths[] = {1, 8, 9, 100};
	struct text whole = calls(flags, data, size, size);

	for (size_t i = size > 4096 ? 3 : 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct text cut = calls(flags, data, size, lengths[i]);
		size_t n = cut.len < whole.len ? cut.len : whole.len;

		/* Segmentation cannot delay the loss of synchronisation; before it, the logs are
		 * equal. */
		fuzz_check(memcmp(whole.ptr, cut.ptr, n) == 0 && cut.len == n);
		text_release(&cut);
	}
	text_release(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	script(data[0], data + 1, size - 1);
	if (size > 4 && !(data[0] & 2))
		cuts(data[0], data + 4, size - 4);
	return 0;
}
