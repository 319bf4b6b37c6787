/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments ahead (flow/ahead.h) as scripts: they go out only once the socket is known to have
 * received them, and bytes in order win. The log is as in test_bytes_order.c.
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
#define AHEAD	 1
#define FIN	 2
#define ACKED	 4 /* the other direction acknowledges all before `from`; data is logged */

struct segment {
	uint32_t from;
	const char *data; /* NULL: the script has ended */
	uint32_t skipped; /* bytes behind data that were not copied */
	int flags;
};

static void log_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	text_add_span(ctx, view->data);
	text_add_char(ctx, ' ');
}

static void log_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	text_addf(ctx, "~%u ", len);
}

static void log_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	text_addf(ctx, "!%u ", len);
}

static void log_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	text_add(ctx, ". ");
}

static const struct bytes_sink logging_sink = {log_data, log_skip, log_lost, log_fin};

static const struct {
	const char *why;
	struct segment segments[SEGMENTS];
	const char *want;
} scripts[] = {
	{"a segment ahead does not go out by itself, and is no loss",
	 {{0, "ab", 0, 0}, {5, "f", 0, AHEAD}},
	 "ab "},
	{"nor when the bytes in front of it have come",
	 {{0, "ab", 0, 0}, {4, "e", 0, AHEAD}, {2, "cd", 0, 0}},
	 "ab cd "},
	{"it does when the stream goes on behind it",
	 {{0, "ab", 0, 0}, {2, "cd", 0, AHEAD}, {4, "e", 0, 0}},
	 "ab cd e "},
	{"also by a report without bytes",
	 {{0, "ab", 0, 0}, {2, "cd", 0, AHEAD}, {4, "", 0, 0}},
	 "ab cd "},
	{"bytes in order win over bytes ahead",
	 {{0, "ab", 0, 0}, {2, "x", 0, AHEAD}, {2, "cdef", 0, 0}, {6, "g", 0, 0}},
	 "ab cdef g "},
	{"the rest of a segment beyond the confirmed range may still go out",
	 {{0, "ab", 0, 0}, {3, "def", 0, AHEAD}, {2, "cd", 0, 0}, {6, "g", 0, 0}},
	 "ab cd ef g "},
	{"a gap behind which the stream goes on is lost",
	 {{0, "ab", 0, 0}, {3, "d", 0, AHEAD}, {5, "f", 0, 0}},
	 "ab !1 d !1 f "},
	{"cut off where the stream goes on",
	 {{0, "ab", 0, 0}, {2, "cdxx", 0, AHEAD}, {4, "ef", 0, 0}},
	 "ab cd ef "},
	{"skipped bytes are queued, too",
	 {{0, "ab", 0, 0}, {2, "c", 3, AHEAD}, {6, "g", 0, 0}},
	 "ab c ~3 g "},
	{"an end that is ahead ends nothing",
	 {{0, "ab", 0, 0}, {5, "x", 0, AHEAD | FIN}, {2, "cd", 0, 0}},
	 "ab cd "},
	{"an end that is confirmed does",
	 {{0, "ab", 0, 0}, {2, "cd", 0, AHEAD | FIN}, {4, "", 0, 0}},
	 "ab cd . "},
	{"bytes that the other direction acknowledges go out before it",
	 {{0, "ab", 0, 0}, {2, "cd", 0, AHEAD}, {4, "<", 0, ACKED}, {4, "e", 0, 0}},
	 "ab cd < e "},
	{"but not behind a gap, which may still be filled",
	 {{0, "ab", 0, 0},
	  {2, "c", 0, AHEAD},
	  {4, "e", 0, AHEAD},
	  {5, "<", 0, ACKED},
	  {3, "d", 0, 0},
	  {5, "<", 0, ACKED}},
	 "ab c < d e < "},
	{"nor further than that",
	 {{0, "ab", 0, 0}, {2, "cd", 0, AHEAD}, {3, "<", 0, ACKED}, {3, "xy", 0, 0}},
	 "ab c < xy "},
	{"an end that is acknowledged is one",
	 {{0, "ab", 0, 0}, {2, "c", 0, AHEAD | FIN}, {4, "<", 0, ACKED}},
	 "ab c . < "},
	{"and not one of which only the bytes are",
	 {{0, "ab", 0, 0}, {2, "c", 0, AHEAD | FIN}, {3, "<", 0, ACKED}, {3, "d", 0, 0}},
	 "ab c < d "},
	{"twice, and in any order",
	 {{0, "a", 0, 0},
	  {3, "d", 0, AHEAD},
	  {1, "bc", 0, AHEAD},
	  {3, "de", 0, AHEAD},
	  {1, "b", 0, AHEAD},
	  {5, "f", 0, 0}},
	 "a bc d e f "},
};

static void push(struct bytes *b, const struct segment *p, struct text *out)
{
	struct segment_view segment = {
		.dir = DIR_INGRESS,
		.data = span_of(p->data),
		.from_seq = START + p->from,
		.seq = START + p->from,
		.is_ahead = p->flags & AHEAD,
		.is_fin = p->flags & FIN,
	};

	if (p->flags & ACKED) {
		segment = (struct segment_view){.dir = DIR_EGRESS, .peer_seq = START + p->from};
		bytes_acknowledged(b, &segment, &logging_sink, out);
		text_addf(out, "%s ", p->data);
		return;
	}
	segment.to_seq = segment.seq + (uint32_t)segment.data.len + p->skipped;
	bytes_push(b, &segment, 1, &logging_sink, out);
}

static void test_scripts(void **state)
{
	struct text out;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const struct segment *p = scripts[i].segments;
		struct bytes b = {0};

		text_clear(&out);
		for (size_t j = 0; j < SEGMENTS && p[j].data; j++)
			push(&b, &p[j], &out);
		bytes_flush(&b, DIR_INGRESS, &logging_sink, &out);
		if (strcmp(out.ptr, scripts[i].want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", scripts[i].why, out.ptr,
				 scripts[i].want);
		assert_null(b.ahead.first);
		assert_int_equal(b.ahead.bytes, 0);
	}
	text_release(&out);
}

/* The limit holds for many small segments, and keeps the nearest ones. */
static void test_cap(void **state)
{
	struct bytes b = {.is_started = true, .next = START};
	struct text out;

	(void)state;
	text_init(&out);
	for (uint32_t i = 0; i < 100000; i++) {
		push(&b, &(struct segment){1000000 - 2 * i, "x", 0, AHEAD}, &out);
		assert_true(b.ahead.bytes <= AHEAD_MAX);
	}
	assert_true(b.ahead.dropped > 0);
	/* The last one was the nearest. */
	push(&b, &(struct segment){800003, "y", 0, 0}, &out);
	assert_string_equal(out.ptr, "!800002 x y ");
	bytes_release(&b);
	text_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests_name("bytes ahead", tests, NULL, NULL);
}
