/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow/bytes: segments in any order become the stream that was sent. capture/seen computes the new
 * bytes of each segment and the gaps below it, as for capture files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/seen.h"
#include "flow/bytes.h"

#define BYTES	 2000
#define SEGMENTS 64

struct out {
	const char *sent;
	size_t len; /* of the output, lost bytes included */
	size_t lost;
	uint64_t time_ns;
	unsigned fins;
};

static void on_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *o = ctx;

	(void)dir;
	assert_int_equal(o->fins, 0);
	assert_true(o->len + view->data.len <= BYTES);
	assert_memory_equal(o->sent + o->len, view->data.ptr, view->data.len);
	assert_true(time_ns >= o->time_ns);
	o->time_ns = time_ns;
	o->len += view->data.len;
}

static void on_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	(void)ctx;
	(void)dir;
	(void)time_ns;
	(void)view;
	fail_msg("%u bytes skipped, all were copied", len);
}

static void on_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct out *o = ctx;

	(void)dir;
	(void)view;
	assert_true(time_ns >= o->time_ns);
	o->time_ns = time_ns;
	o->len += len;
	o->lost += len;
}

static void on_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *o = ctx;

	(void)dir;
	(void)time_ns;
	(void)view;
	assert_int_equal(o->len, BYTES);
	o->fins++;
}

static const struct bytes_sink sink = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin};

static void push(struct bytes *b, struct seen *s, struct out *o, struct seq_range r, uint32_t base,
		 uint64_t time_ns)
{
	struct seen_result res;

	seen_add(s, r, &res);
	for (size_t i = 0; i < res.new_count; i++) {
		struct seq_range n = res.new[i];
		struct segment_view d = {.data = {o->sent + (n.from - base), n.to - n.from},
					 .seq = n.from,
					 .from_seq = n.from,
					 .to_seq = n.to,
					 .is_fin = n.to == base + BYTES,
					 .has_gap = seq_before(seen_floor(s), n.from)};

		bytes_push(b, &d, time_ns, &sink, o);
	}
	/* All bytes below the lowest gap are out, and none above it. */
	if (!res.lost_bytes && !o->lost)
		assert_int_equal(o->len, seen_floor(s) - base);
}

static void test_any_order(void **state)
{
	char sent[BYTES];

	(void)state;
	srand(11);
	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (char)rand();
	for (int round = 0; round < 2000; round++) {
		uint32_t base = (uint32_t)rand() * 3u - 1000;
		uint32_t end = base + BYTES;
		bool is_lossy = round % 2;
		struct seq_range flight[SEGMENTS];
		struct out o = {.sent = sent};
		struct seen s;
		struct bytes b = {0};
		size_t count = 0;
		uint64_t time_ns = 1;
		struct segment_view first = {
			.data = {"", 0}, .seq = base, .from_seq = base, .to_seq = base};

		seen_start(&s, base);
		bytes_push(&b, &first, time_ns, &sink, &o);
		/* A few segments are in flight at a time. */
		for (uint32_t at = base; at != end || count;) {
			size_t pick;

			while (count < 8 && at != end) {
				uint32_t len = (uint32_t)(rand() % 120) + 1;

				if (len > end - at)
					len = end - at;
				if (!is_lossy || rand() % 20 || at + len == end)
					flight[count++] = (struct seq_range){at, at + len};
				at += len;
			}
			if (!count)
				continue;
			pick = (size_t)rand() % count;
			push(&b, &s, &o, flight[pick], base, ++time_ns);
			if (rand() % 8) /* else it is retransmitted */
				flight[pick] = flight[--count];
		}
		bytes_flush(&b, DIR_INGRESS, &sink, &o);
		assert_int_equal(o.len, BYTES);
		assert_int_equal(o.fins, 1);
		assert_true(is_lossy || o.lost == 0);
		bytes_release(&b);
	}
}

/* Two gaps; a segment without bytes and without a gap confirms the loss of the second. */
static void test_decided(void **state)
{
	char sent[BYTES] = "abcdefghij";
	struct out o = {.sent = sent};
	struct bytes b = {0};
	const struct segment_view segments[] = {
		{.data = {sent, 1}, .seq = 0, .from_seq = 0, .to_seq = 1},
		{.data = {sent + 3, 2}, .seq = 3, .from_seq = 3, .to_seq = 5, .has_gap = true},
		{.data = {sent + 7, 2}, .seq = 7, .from_seq = 7, .to_seq = 9, .has_gap = true},
		{.data = {sent + 1, 2}, .seq = 1, .from_seq = 1, .to_seq = 3},
		{.data = {sent, 0}, .seq = 9, .from_seq = 9, .to_seq = 9},
	};
	const size_t want[] = {1, 1, 1, 5, 9};

	(void)state;
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		bytes_push(&b, &segments[i], i + 1, &sink, &o);
		assert_int_equal(o.len, want[i]);
	}
	assert_int_equal(o.lost, 2);
	bytes_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_decided),
	};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
