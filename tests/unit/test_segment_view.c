/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow/segment_view.h: the view of a segment goes out with its bytes, in order or queued. A view is
 * logged as its bytes, "~" for skipped and "!" for lost ones, and thread/from_seq/peer_seq, "-" for
 * an unknown position; then the names of the flags that are set, and "bare" if the segment is
 * empty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "flow/bytes.h"

#define SEGMENTS 4

static void log_view(struct text *text, const struct segment_view *view)
{
	text_addf(text, " %u/", view->tid);
	if (view->has_peer)
		text_addf(text, "%u/%u", view->from_seq, view->peer_seq);
	else
		text_add(text, "-/-");
	text_addf(text, "%s%s%s%s; ", view->is_derived ? " rest" : "",
		  view->is_frame ? " frame" : "",
		  view->wants_frame_start ? " wants_frame_start" : "",
		  segment_view_is_empty(view) ? " bare" : "");
}

static void log_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	text_add_span(ctx, view->data);
	log_view(ctx, view);
}

static void log_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	text_addf(ctx, "~%u", len);
	log_view(ctx, view);
}

static void log_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	text_addf(ctx, "!%u", len);
	log_view(ctx, view);
}

static void log_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	text_add_char(ctx, '.');
	log_view(ctx, view);
}

static const struct bytes_sink logging_sink = {log_data, log_skip, log_lost, log_fin};

enum { FRAME = 1, ASKS = 2, GAP = 4, AHEAD = 8, FIN = 16, ALONE = 32 };

struct segment {
	uint32_t from;
	const char *data; /* NULL: the script has ended */
	uint32_t skipped; /* bytes behind data that were not copied */
	uint32_t tid;
	uint32_t peer_seq;
	int flags;
};

static const struct {
	const char *why;
	struct segment segments[SEGMENTS];
	const char *want;
} scripts[] = {
	{"in order: the view is the segment's own",
	 {{0, "ab", 0, 7, 90, FRAME | ASKS}, {2, "cd", 0, 8, 91, 0}},
	 "ab 7/0/90 frame wants_frame_start; cd 8/2/91; "},
	{"a source without positions", {{0, "ab", 0, 7, 0, ALONE}}, "ab 7/-/-; "},
	{"not copied bytes and the end belong to their segment",
	 {{0, "ab", 3, 7, 90, FIN}},
	 "ab 7/0/90; ~3 7/0/90; . 7/0/90; "},
	{"a segment without bytes is bare, unless it ends the direction",
	 {{0, "", 5, 7, 90, 0}, {5, "", 0, 7, 90, FIN}},
	 "~5 7/0/90 bare; . 7/5/90; "},
	{"a queued segment keeps thread and frame flag, and gets the positions of the segment that "
	 "releases it",
	 {{0, "ab", 0, 7, 90, 0}, {4, "ef", 0, 8, 91, GAP | FRAME | ASKS}, {2, "cd", 0, 9, 95, 0}},
	 "ab 7/0/90; cd 9/2/95; ef 8/2/95 rest frame; "},
	{"so does a segment ahead",
	 {{0, "ab", 0, 7, 90, 0}, {2, "cd", 0, 8, 91, AHEAD | FRAME}, {4, "", 0, 9, 95, 0}},
	 "ab 7/0/90; cd 8/4/95 rest frame; "},
	{"the rest of a segment whose first bytes are old starts no frame",
	 {{0, "abc", 0, 7, 90, 0}, {2, "cd", 0, 8, 91, FRAME | ASKS}},
	 "abc 7/0/90; d 8/2/91 rest; "},
	{"a gap is reported with the segment behind it",
	 {{0, "ab", 0, 7, 90, 0}, {4, "", 2, 8, 91, 0}},
	 "ab 7/0/90; !2 8/4/91 bare; ~2 8/4/91 bare; "},
	{"segments that the end of the connection releases have no positions",
	 {{0, "ab", 0, 7, 90, 0}, {4, "ef", 0, 8, 91, GAP}},
	 "ab 7/0/90; !2 0/-/- rest; ef 8/-/- rest; "},
};

static void push(struct bytes *b, const struct segment *s, struct text *out)
{
	struct segment_view segment = {
		.dir = DIR_EGRESS,
		.data = span_of(s->data),
		.seq = s->from,
		.from_seq = s->from,
		.peer_seq = s->peer_seq,
		.tid = s->tid,
		.has_peer = !(s->flags & ALONE),
		.is_fin = s->flags & FIN,
		.has_gap = s->flags & GAP,
		.is_ahead = s->flags & AHEAD,
		.is_frame = s->flags & FRAME,
		.wants_frame_start = s->flags & ASKS,
	};

	segment.to_seq = segment.seq + (uint32_t)segment.data.len + s->skipped;
	bytes_push(b, &segment, 1, &logging_sink, out);
}

static void test_scripts(void **state)
{
	struct text out;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const struct segment *s = scripts[i].segments;
		struct bytes b = {.is_started = true};

		text_clear(&out);
		for (size_t j = 0; j < SEGMENTS && s[j].data; j++)
			push(&b, &s[j], &out);
		bytes_flush(&b, DIR_EGRESS, &logging_sink, &out);
		if (strcmp(out.ptr, scripts[i].want) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", scripts[i].why, out.ptr,
				 scripts[i].want);
	}
	text_release(&out);
}

/* An acknowledgement releases queued segments of the other direction, with reversed positions. */
static void test_give_up(void **state)
{
	static const struct segment waits = {4, "ef", 0, 8, 91, GAP};
	struct segment_view other = {
		.dir = DIR_INGRESS, .from_seq = 300, .peer_seq = 6, .tid = 9, .has_peer = true};
	struct bytes b = {.is_started = true, .next = 2};
	struct text out;

	(void)state;
	text_init(&out);
	push(&b, &waits, &out);
	assert_int_equal(out.len, 0);
	bytes_give_up_gaps(&b, &other, &logging_sink, &out);
	assert_string_equal(out.ptr, "!2 9/6/300 bare; ef 8/6/300 rest; ");
	text_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_give_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
