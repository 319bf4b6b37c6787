/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction put back in order: scripts of pieces. What comes out is noted as text, one word per
 * call:
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

#define PIECES	 8
#define START	 0xfffffffcu /* so that scripts cross 2^32 at their fifth byte */
#define HOLE	 1
#define FIN	 2
#define HOLE_FIN (HOLE | FIN)

/* Positions count from 0; piece n comes at time n, counted from 1. */
struct piece {
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

static void note_time(struct out *out, uint64_t time_ns)
{
	if (out->wants_times)
		text_addf(&out->text, "@%llu", (unsigned long long)time_ns);
	text_add_char(&out->text, ' ');
}

static void note_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *out = ctx;

	assert_int_equal(dir, DIR_EGRESS);
	assert_true(view->data.len > 0);
	text_add_span(&out->text, view->data);
	note_time(out, time_ns);
}

static void note_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		      uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	assert_true(len > 0);
	text_addf(&out->text, "~%u", len);
	note_time(out, time_ns);
}

static void note_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		      uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	assert_true(len > 0);
	text_addf(&out->text, "!%u", len);
	note_time(out, time_ns);
}

static void note_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct out *out = ctx;

	(void)dir;
	(void)view;
	text_add(&out->text, ".");
	note_time(out, time_ns);
}

static const struct bytes_sink notes = {note_data, note_skip, note_lost, note_fin};

static const struct {
	const char *why;
	struct piece pieces[PIECES];
	const char *want;
} scripts[] = {
	{"in order", {{0, 0, "ab", 0, 0}, {2, 0, "cdef", 0, 0}}, "ab@1 cdef@2 "},
	{"the first piece says where the direction begins", {{7, 0, "ab", 0, 0}}, "ab@1 "},
	{"seen twice", {{0, 0, "ab", 0, 0}, {0, 0, "ab", 0, 0}, {2, 0, "c", 0, 0}}, "ab@1 c@3 "},
	{"overlapping: only what is new",
	 {{0, 0, "abcd", 0, 0}, {2, 0, "cdef", 0, 0}, {1, 0, "bcdefg", 0, 0}},
	 "abcd@1 ef@2 g@3 "},
	{"bytes that were not copied, before and after",
	 {{0, 0, "ab", 3, 0}, {5, 2, "cd", 0, 0}},
	 "ab@1 ~3@1 ~2@2 cd@2 "},
	{"news without bytes", {{0, 0, "ab", 0, 0}, {2, 5, "", 0, 0}}, "ab@1 ~5@2 "},
	{"skipped and copied overlap what went out",
	 {{0, 0, "abcd", 0, 0}, {1, 4, "f", 0, 0}, {2, 1, "def", 2, 0}},
	 "abcd@1 ~1@2 f@2 ~2@3 "},
	{"nobody vouches for what is between: lost",
	 {{0, 0, "ab", 0, 0}, {5, 0, "cd", 0, 0}},
	 "ab@1 !3@2 cd@2 "},
	{"a hole filled late: what waited goes out as of the last byte that came",
	 {{0, 0, "ab", 0, 0}, {4, 0, "ef", 0, HOLE}, {2, 0, "cd", 0, 0}},
	 "ab@1 cd@3 ef@3 "},
	{"filled in two parts, the later one first",
	 {{0, 0, "a", 0, 0}, {5, 0, "f", 0, HOLE}, {3, 0, "de", 0, HOLE}, {1, 0, "bc", 0, 0}},
	 "a@1 bc@4 de@4 f@4 "},
	{"what waits may overlap what fills",
	 {{0, 0, "a", 0, 0}, {2, 0, "cde", 0, HOLE}, {3, 0, "defg", 0, HOLE}, {1, 0, "bcd", 0, 0}},
	 "a@1 bcd@4 e@4 fg@4 "},
	{"two holes: the second still waits",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, HOLE}, {4, 0, "e", 0, HOLE}, {1, 0, "b", 0, HOLE}},
	 "a@1 b@4 c@4 !1@4 e@4 "},
	{"two holes, filled one by one",
	 {{0, 0, "a", 0, 0},
	  {2, 0, "c", 0, HOLE},
	  {4, 0, "e", 0, HOLE},
	  {1, 0, "b", 0, HOLE},
	  {3, 0, "d", 0, 0}},
	 "a@1 b@4 c@4 d@5 e@5 "},
	{"given up: a piece behind it without a hole",
	 {{0, 0, "a", 0, 0}, {3, 0, "d", 0, HOLE}, {4, 0, "e", 0, 0}},
	 "a@1 !2@2 d@2 e@3 "},
	{"given up behind what waits, too",
	 {{0, 0, "a", 0, 0}, {3, 0, "d", 0, HOLE}, {6, 0, "g", 0, 0}},
	 "a@1 !2@2 d@2 !2@3 g@3 "},
	{"a piece that comes before all others: the first wait for it",
	 {{3, 0, "de", 0, HOLE}, {0, 0, "abc", 0, 0}},
	 "abc@2 de@2 "},
	{"what was not copied waits too",
	 {{0, 0, "a", 0, 0}, {3, 2, "f", 1, HOLE}, {1, 0, "bc", 0, 0}},
	 "a@1 bc@3 ~2@3 f@3 ~1@3 "},
	{"fin", {{0, 0, "ab", 0, FIN}}, "ab@1 .@1 "},
	{"fin without bytes", {{0, 0, "ab", 0, 0}, {2, 0, "", 0, FIN}}, "ab@1 .@2 "},
	{"fin waits for a hole",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, HOLE_FIN}, {1, 0, "b", 0, 0}},
	 "a@1 b@3 c@3 .@3 "},
	{"nothing comes after fin",
	 {{0, 0, "ab", 0, FIN}, {2, 0, "cd", 0, 0}, {2, 0, "", 0, FIN}, {9, 0, "x", 0, HOLE}},
	 "ab@1 .@1 "},
	{"a fin seen twice is one", {{0, 0, "", 0, FIN}, {0, 0, "", 0, FIN}}, ".@1 "},
	{"a fin among what went out already is none",
	 {{0, 0, "abcd", 0, 0}, {0, 0, "ab", 0, FIN}, {4, 0, "e", 0, 0}},
	 "abcd@1 e@3 "},
	{"bytes behind a fin that waits are dropped",
	 {{0, 0, "a", 0, 0}, {2, 0, "c", 0, HOLE_FIN}, {3, 0, "x", 0, HOLE}, {1, 0, "b", 0, 0}},
	 "a@1 b@4 c@4 .@4 "},
};

static void push(struct bytes *b, const struct piece *p, uint64_t time_ns, struct out *out)
{
	struct segment_view piece = {
		.dir = DIR_EGRESS,
		.data = span_of(p->data),
		.from_seq = START + p->from,
		.seq = START + p->from + p->skipped,
		.is_fin = p->flags & FIN,
		.has_hole = p->flags & HOLE,
	};

	piece.to_seq = piece.seq + (uint32_t)piece.data.len + p->skipped_after;
	bytes_push(b, &piece, time_ns, &notes, out);
}

static void test_scripts(void **state)
{
	struct out out = {.wants_times = true};

	(void)state;
	text_init(&out.text);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const struct piece *p = scripts[i].pieces;
		struct bytes b = {0};

		text_clear(&out.text);
		for (size_t j = 0; j < PIECES && p[j].data; j++)
			push(&b, &p[j], j + 1, &out);
		bytes_flush(&b, DIR_EGRESS, &notes, &out);
		if (strcmp(out.text.ptr, scripts[i].want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", scripts[i].why, out.text.ptr,
				 scripts[i].want);
		assert_null(b.early);
		assert_int_equal(b.early_bytes, 0);
	}
	text_release(&out.text);
}

/* What waits when it is flushed goes out with its holes given up. */
static void test_flush(void **state)
{
	static const struct piece pieces[] = {
		{0, 0, "a", 0, 0}, {2, 0, "c", 0, HOLE}, {5, 0, "f", 0, HOLE_FIN}};
	struct out out = {.wants_times = true};
	struct bytes b = {0};

	(void)state;
	text_init(&out.text);
	bytes_flush(&b, DIR_EGRESS, &notes, &out);
	for (size_t i = 0; i < 3; i++)
		push(&b, &pieces[i], i + 1, &out);
	assert_string_equal(out.text.ptr, "a@1 ");
	bytes_flush(&b, DIR_EGRESS, &notes, &out);
	assert_string_equal(out.text.ptr, "a@1 !1@2 c@2 !2@3 f@3 .@3 ");
	/* Nothing was in order yet: it begins with the first that came. */
	b = (struct bytes){0};
	text_clear(&out.text);
	push(&b, &pieces[2], 1, &out);
	push(&b, &pieces[1], 2, &out);
	bytes_flush(&b, DIR_EGRESS, &notes, &out);
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

/* However small the pieces are that a stranger sends, what waits is bounded. */
static void test_cap(void **state)
{
	static const uint32_t sizes[] = {0, 1, 100, 1460, 2000};
	static char zeros[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bytes b = {.is_started = true, .next = START};
		struct segment_view piece = {.data = {zeros, sizes[i]}, .has_hole = true};
		uint32_t pieces = 0;
		uint64_t out = 0;

		for (uint32_t at = START + 10; out == 0; at += sizes[i] + 1) {
			piece.from_seq = piece.seq = at;
			piece.to_seq = at + sizes[i];
			bytes_push(&b, &piece, pieces, &counts, &out);
			assert_true(b.early_bytes <= BYTES_EARLY_MAX);
			if (++pieces > BYTES_EARLY_MAX)
				fail_msg("pieces of %u are not bounded", sizes[i]);
		}
		/* Everything that waited, and the piece that was one too many, went out. */
		assert_int_equal(out, piece.to_seq - START);
		assert_int_equal(b.next, piece.to_seq);
		assert_null(b.early);
		/* A whole window of full segments can wait. */
		if (sizes[i] >= 1460)
			assert_true(pieces * sizes[i] > BYTES_EARLY_MAX * 9 / 10);
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
