/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction put back in order: scripts of segments. What comes out is logged as text, one word
 * per call:
 *
 *     data 3 bytes as themselves, skip ~3, lost !3, fin .
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "flow/bytes.h"

#define SEGMENTS 8
#define START	 0xfffffffcu /* so that scripts cross 2^32 at their fifth byte */
#define GAP	 1
#define FIN	 2
#define GAP_FIN	 (GAP | FIN)

/* Positions count from 0; segment n comes at time n, counted from 1. */
struct segment {
	uint32_t from;
	uint32_t skipped; /* bytes before data that were not copied */
	const char *data; /* NULL: the script has ended */
	uint32_t skipped_after;
	int flags;
};

struct out {
	struct text text;
	bool wants_times;
};

static void log_time(struct out *out, uint64_t time_ns)
{
	if (out->wants_times)
		text_addf(&out->text, "@%llu", (unsigned long long)time_ns);
	text_add_char(&out->text, ' ');
}

static void log_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *out = ctx;

	assert_int_equal(dir, DIR_EGRESS);
	assert_true(view->data.len > 0);
	text_add_span(&out->text, view->data);
	log_time(out, time_ns);
}

static void log_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	assert_true(len > 0);
	text_addf(&out->text, "~%u", len);
	log_time(out, time_ns);
}

static void log_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	assert_true(len > 0);
	text_addf(&out->text, "!%u", len);
	log_time(out, time_ns);
}

static void log_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	text_add(&out->text, ".");
	log_time(out, time_ns);
}

static const struct bytes_sink logging_sink = {log_data, log_skip, log_lost, log_fin};

static const struct {
	const char *why;
	struct segment segments[SEGMENTS];
	const char *want;
} scripts[] = {
	{"in order", {{0, 0, "ab", 0, 0}, {2, 0, "cdef", 0, 0}}, "ab@1 cdef@2 "},
	{"the direction begins with the first segment", {{7, 0, "ab", 0, 0}}, "ab@1 "},
	{"seen twice", {{0, 0, "ab", 0, 0}, {0, 0, "ab", 0, 0}, {2, 0, "c", 0, 0}}, "ab@1 c@3 "},
	{"overlapping: only new bytes",
	 {{0, 0, "abcd", 0, 0}, {2, 0, "cdef", 0, 0}, {1, 0, "bcdefg", 0, 0}},
	 "abcd@1 ef@2 g@3 "},
	{"bytes that were not copied, before and after",
	 {{0, 0, "ab", 3, 0}, {5, 2, "cd", 0, 0}},
	 "ab@1 ~3@1 ~2@2 cd@2 "},
	{"a report without bytes", {{0, 0, "ab", 0, 0}, {2, 5, "", 0, 0}}, "ab@1 ~5@2 "},
	{"skipped and copied bytes overlap bytes that went out",
	 {{0, 0, "abcd", 0, 0}, {1, 4, "f", 0, 0}, {2, 1, "def", 2, 0}},
	 "abcd@1 ~1@2 f@2 ~2@3 "},
	{"bytes between two segments without a gap flag are lost",
	 {{0, 0, "ab", 0, 0}, {5, 0, "cd", 0, 0}},
	 "ab@1 !3@2 cd@2 "},
	{"a gap filled late: queued bytes go out with the time of the newest byte",
	 {{0, 0, "ab", 0, 0}, {4, 0, "ef", 0, GAP}, {2, 0, "cd", 0, 0}},
	 "ab@1 cd@3 ef@3 "},
	{"filled in two parts, the later one first",
	 {{0, 0, "a", 0, 0}, {5, 0, "f", 0, GAP}, {3, 0, "de", 0, GAP}, {1, 0, "bc", 0, 0}},
	 "a@1 bc@4 de@4 f@4 "},
	{"a queued segment may overlap the one that fills the gap",
	 {{0, 0, "a", 0, 0}, {2, 0, "cde", 0, GAP}, {3, 0, "defg", 0, GAP}, {1, 0, "bcd", 0, 0}},
	 "a@1 bcd@4 e@4 fg@4 "},
	{"two gaps: the second stays open",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, GAP}, {4, 0, "e", 0, GAP}, {1, 0, "b", 0, GAP}},
	 "a@1 b@4 c@4 !1@4 e@4 "},
	{"two gaps, filled one by one",
	 {{0, 0, "a", 0, 0},
	  {2, 0, "c", 0, GAP},
	  {4, 0, "e", 0, GAP},
	  {1, 0, "b", 0, GAP},
	  {3, 0, "d", 0, 0}},
	 "a@1 b@4 c@4 d@5 e@5 "},
	{"given up: a segment behind the gap without a gap flag",
	 {{0, 0, "a", 0, 0}, {3, 0, "d", 0, GAP}, {4, 0, "e", 0, 0}},
	 "a@1 !2@2 d@2 e@3 "},
	{"given up behind a queued segment, too",
	 {{0, 0, "a", 0, 0}, {3, 0, "d", 0, GAP}, {6, 0, "g", 0, 0}},
	 "a@1 !2@2 d@2 !2@3 g@3 "},
	{"a segment below all others: the first ones are queued",
	 {{3, 0, "de", 0, GAP}, {0, 0, "abc", 0, 0}},
	 "abc@2 de@2 "},
	{"skipped bytes are queued, too",
	 {{0, 0, "a", 0, 0}, {3, 2, "f", 1, GAP}, {1, 0, "bc", 0, 0}},
	 "a@1 bc@3 ~2@3 f@3 ~1@3 "},
	{"fin", {{0, 0, "ab", 0, FIN}}, "ab@1 .@1 "},
	{"fin without bytes", {{0, 0, "ab", 0, 0}, {2, 0, "", 0, FIN}}, "ab@1 .@2 "},
	{"fin waits for a gap",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, GAP_FIN}, {1, 0, "b", 0, 0}},
	 "a@1 b@3 c@3 .@3 "},
	{"nothing comes after fin",
	 {{0, 0, "ab", 0, FIN}, {2, 0, "cd", 0, 0}, {2, 0, "", 0, FIN}, {9, 0, "x", 0, GAP}},
	 "ab@1 .@1 "},
	{"a fin seen twice is one", {{0, 0, "", 0, FIN}, {0, 0, "", 0, FIN}}, ".@1 "},
	{"a fin inside of bytes that went out is ignored",
	 {{0, 0, "abcd", 0, 0}, {0, 0, "ab", 0, FIN}, {4, 0, "e", 0, 0}},
	 "abcd@1 e@3 "},
	{"bytes behind a queued fin are dropped",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, GAP_FIN}, {3, 0, "x", 0, GAP}, {1, 0, "b", 0, 0}},
	 "a@1 b@4 c@4 .@4 "},
};

static void push(struct bytes *b, const struct segment *p, uint64_t time_ns, struct out *out)
{
	struct segment_view segment = {
		.dir = DIR_EGRESS,
		.data = span_of(p->data),
		.from_seq = START + p->from,
		.seq = START + p->from + p->skipped,
		.is_fin = p->flags & FIN,
		.has_gap = p->flags & GAP,
	};

	segment.to_seq = segment.seq + (uint32_t)segment.data.len + p->skipped_after;
	bytes_push(b, &segment, time_ns, &logging_sink, out);
}

static void test_scripts(void **state)
{
	struct out out = {.wants_times = true};

	(void)state;
	text_init(&out.text);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const struct segment *p = scripts[i].segments;
		struct bytes b = {0};

		text_clear(&out.text);
		for (size_t j = 0; j < SEGMENTS && p[j].data; j++)
			push(&b, &p[j], j + 1, &out);
		bytes_flush(&b, DIR_EGRESS, &logging_sink, &out);
		if (strcmp(out.text.ptr, scripts[i].want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", scripts[i].why, out.text.ptr,
				 scripts[i].want);
		assert_null(b.queue);
		assert_int_equal(b.queue_bytes, 0);
	}
	text_release(&out.text);
}

/* A flush gives up the gaps and emits the queue. */
static void test_flush(void **state)
{
	static const struct segment segments[] = {
		{0, 0, "a", 0, 0}, {2, 0, "c", 0, GAP}, {5, 0, "f", 0, GAP_FIN}};
	struct out out = {.wants_times = true};
	struct bytes b = {0};

	(void)state;
	text_init(&out.text);
	bytes_flush(&b, DIR_EGRESS, &logging_sink, &out);
	for (size_t i = 0; i < 3; i++)
		push(&b, &segments[i], i + 1, &out);
	assert_string_equal(out.text.ptr, "a@1 ");
	bytes_flush(&b, DIR_EGRESS, &logging_sink, &out);
	assert_string_equal(out.text.ptr, "a@1 !1@2 c@2 !2@3 f@3 .@3 ");
	/* No start is known: it begins with the lowest position. */
	b = (struct bytes){0};
	text_clear(&out.text);
	push(&b, &segments[2], 1, &out);
	push(&b, &segments[1], 2, &out);
	bytes_flush(&b, DIR_EGRESS, &logging_sink, &out);
	assert_string_equal(out.text.ptr, "c@2 !2@2 f@2 .@2 ");
	text_release(&out.text);
}

static void count_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	*(uint64_t *)ctx += view->data.len;
}

static void count_gap(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		      uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	*(uint64_t *)ctx += len;
}

static void ignore_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)ctx;
	(void)dir;
	(void)time_ns;
	(void)view;
}

static const struct bytes_sink counts = {count_data, count_gap, count_gap, ignore_fin};

/* The queue is bounded for the smallest segments. */
static void test_cap(void **state)
{
	static const uint32_t sizes[] = {0, 1, 100, 1460, 2000};
	static char zeros[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bytes b = {.is_started = true, .next = START};
		struct segment_view segment = {.data = {zeros, sizes[i]}, .has_gap = true};
		uint32_t segments = 0;
		uint64_t out = 0;

		for (uint32_t at = START + 10; out == 0; at += sizes[i] + 1) {
			segment.from_seq = segment.seq = at;
			segment.to_seq = at + sizes[i];
			bytes_push(&b, &segment, segments, &counts, &out);
			assert_true(b.queue_bytes <= BYTES_QUEUE_MAX);
			if (++segments > BYTES_QUEUE_MAX)
				fail_msg("segments of %u are not bounded", sizes[i]);
		}
		/* The whole queue, and the segment that did not fit, went out. */
		assert_int_equal(out, segment.to_seq - START);
		assert_int_equal(b.next, segment.to_seq);
		assert_null(b.queue);
		/* A window of full segments fits in the queue. */
		if (sizes[i] >= 1460)
			assert_true(segments * sizes[i] > BYTES_QUEUE_MAX * 9 / 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests_name("bytes order", tests, NULL, NULL);
}
