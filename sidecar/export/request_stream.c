/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_stream.h"

#include <stdlib.h>

#include "base/clock.h"
#include "export/feed.h"
#include "export/record_line.h"

/* What may wait for one reader, and for all of them; each gets the first in any case. */
#define WAITING_LEAST (64u << 10)
#define WAITING_MAX   (1u << 20)
#define WAITING_ALL   (4u << 20)

/* Lines that come within this time share a wake-up. */
#define WAKE_MS 10
/* An empty line, so often: a client that is gone is noticed by it. */
#define BEAT_MS 5000

struct request_reader {
	struct feed feed; /* first */
	struct request_streams *streams;
	struct request_reader *next;
	struct request_question question;
	struct header_wish wish; /* of question.headers */
	struct header_wish condition; /* of the filter's header; its names are owned */
	uint64_t since_ns;
	uint64_t cursor; /* number of the next record to look at */
	uint64_t whole_from; /* from this number on, a missing one was overwritten too early */
	uint64_t end; /* number at which it ends; UINT64_MAX: it does not */
	uint64_t skip; /* matches before the last ones that were asked for */
	uint64_t left; /* lines to be sent; UINT64_MAX: any number */
	uint64_t lost; /* lines lost since the last report to the reader */
};

static struct request_reader *reader_of(struct feed *f)
{
	return (struct request_reader *)f;
}

uint64_t request_streams_waiting(const struct request_streams *s)
{
	uint64_t sum = 0;

	for (const struct request_reader *r = s->readers; r; r = r->next)
		sum += feed_waiting(&r->feed);
	return sum;
}

static void lose(struct request_reader *r, uint64_t number)
{
	uint64_t from = r->cursor > r->whole_from ? r->cursor : r->whole_from;

	if (number <= from)
		return;
	r->lost += number - from;
	r->streams->stats->lines_lost += number - from;
	r->cursor = number;
}

static void add_line(struct request_reader *r, const struct record *e, int64_t offset_ns)
{
	struct request_streams *s = r->streams;
	struct text *buf = &r->feed.buf;
	size_t before = buf->len;

	if (r->lost)
		text_addf(buf, "{\"lost\":%llu}\n", (unsigned long long)r->lost);
	record_line_add(buf, e,
			&(struct record_line){
				.container = s->container(s->ctx, e->container),
				.offset_ns = offset_ns,
				.has_query = r->question.has_query,
				.round_trip_us = s->round_trip_us(s->ctx, e->conn_id),
				.headers = recorder_headers(s->recorder, e),
				.header_names = r->question.headers,
			});
	if (buf->has_failed) {
		buf->has_failed = false;
		text_truncate(buf, before);
		r->lost++;
		s->stats->lines_lost++;
		return;
	}
	r->lost = 0;
	s->stats->lines++;
}

static bool matches(const struct request_reader *r, const struct record *e)
{
	const struct request_streams *s = r->streams;

	return request_filter_matches(&r->question.filter, e, s->container(s->ctx, e->container),
				      r->since_ns) &&
	       request_filter_has_header(&r->question.filter, recorder_headers(s->recorder, e));
}

/* Lines for what the reader has not looked at yet, as far as there is room. */
static void pump(struct request_reader *r, uint64_t room)
{
	const struct recorder *recorder = r->streams->recorder;
	int64_t offset_ns = clock_offset_ns();
	const struct record *e;

	while (!r->feed.is_ended) {
		e = recorder_next(recorder, r->cursor);
		if (!r->left || r->cursor >= r->end || (e && e->number >= r->end)) {
			r->feed.is_ended = true;
			break;
		}
		if (!e)
			break;
		if (feed_waiting(&r->feed) >= room) {
			lose(r, recorder_oldest(recorder));
			break;
		}
		lose(r, e->number);
		r->cursor = e->number + 1;
		if (!matches(r, e))
			continue;
		if (r->skip) {
			r->skip--;
			continue;
		}
		add_line(r, e, offset_ns);
		r->left -= r->left != UINT64_MAX;
	}
}

static uint64_t room_of(const struct request_streams *s)
{
	return request_streams_waiting(s) < WAITING_ALL ? WAITING_MAX : WAITING_LEAST;
}

static void pump_all(struct request_streams *s)
{
	for (struct request_reader *r = s->readers; r; r = r->next)
		pump(r, room_of(s));
}

static void on_recorded(void *ctx);

/* Asks the recorder for a notification after so many requests, or at once if no timer runs. */
static void arm(struct request_streams *s)
{
	uint64_t next = recorder_next_number(s->recorder);
	uint64_t pressure = recorder_stats(s->recorder)->recent / 4;

	if (!s->readers)
		next = UINT64_MAX;
	else if (uv_is_active((uv_handle_t *)&s->wake))
		next += pressure;
	recorder_notify(s->recorder, next, on_recorded, s);
}

/* Readers may be gone afterwards. */
static void wake_all(struct request_streams *s)
{
	/* feed_wake() does not call back: readers stay where they are. */
	for (struct request_reader *r = s->readers; r; r = r->next)
		if (feed_waiting(&r->feed) || r->feed.is_ended)
			feed_wake(&r->feed);
	httpd_flush(s->httpd);
}

static void on_wake(uv_timer_t *timer)
{
	struct request_streams *s = timer->data;

	pump_all(s);
	wake_all(s);
	arm(s);
}

static void on_recorded(void *ctx)
{
	struct request_streams *s = ctx;

	/* The first of many, or so many that the ring may overtake a reader. */
	if (uv_is_active((uv_handle_t *)&s->wake))
		pump_all(s);
	else
		(void)uv_timer_start(&s->wake, on_wake, WAKE_MS, 0); /* has a callback */
	arm(s);
}

static void on_beat(uv_timer_t *timer)
{
	struct request_streams *s = timer->data;

	for (struct request_reader *r = s->readers; r; r = r->next)
		if (r->feed.is_resting)
			text_add_char(&r->feed.buf, '\n');
	s->list(s->ctx); /* for round_trip_us() */
	wake_all(s);
}

static void on_fill(struct feed *f)
{
	struct request_reader *r = reader_of(f);

	pump(r, room_of(r->streams));
}

/* Header fields are captured as long as the reader is there. */
static void want_headers(struct request_reader *r)
{
	struct request_streams *s = r->streams;

	if (!r->question.is_following)
		return; /* there are those that were captured before */
	r->wish.names = r->question.headers;
	if (r->question.filter.header)
		r->condition.names = request_filter_header_names(&r->question.filter);
	if (r->wish.names)
		engine_want_headers(s->engine, &r->wish);
	if (r->condition.names)
		engine_want_headers(s->engine, &r->condition);
	if (r->wish.names || r->condition.names)
		(void)recorder_follow_headers(s->recorder, engine_header_wishes(s->engine),
					      engine_memory(s->engine)); /* else lines have none */
}

static void unwant_headers(struct request_reader *r)
{
	struct request_streams *s = r->streams;

	if (!r->wish.names && !r->condition.names)
		return;
	engine_unwant_headers(s->engine, &r->wish);
	engine_unwant_headers(s->engine, &r->condition);
	free((char *)r->condition.names);
	(void)recorder_follow_headers(s->recorder, engine_header_wishes(s->engine),
				      engine_memory(s->engine)); /* takes no memory */
}

static void on_gone(struct feed *f)
{
	struct request_reader *r = reader_of(f);
	struct request_streams *s = r->streams;
	struct request_reader **at = &s->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	unwant_headers(r);
	free(r);
	s->stats->readers--;
	if (s->readers)
		return;
	(void)uv_timer_stop(&s->wake); /* cannot fail, as the next */
	(void)uv_timer_stop(&s->beat);
	arm(s);
}

/* How many of what is recorded now the reader asks for. */
static uint64_t count_matches(const struct request_reader *r)
{
	const struct record *e;
	uint64_t count = 0;

	for (uint64_t at = r->cursor; (e = recorder_next(r->streams->recorder, at));
	     at = e->number + 1)
		count += matches(r, e);
	return count;
}

static void place(struct request_reader *r)
{
	const struct request_question *q = &r->question;
	uint64_t next = recorder_next_number(r->streams->recorder);
	uint64_t last_ns = q->filter.last_ms * UINT64_C(1000000);
	uint64_t now = uv_hrtime();
	uint64_t past;

	r->cursor = q->has_past ? 1 : next;
	r->whole_from = q->has_past ? recorder_oldest(r->streams->recorder) : next;
	r->end = q->is_following ? UINT64_MAX : next;
	r->since_ns = last_ns && last_ns < now ? now - last_ns : 0;
	r->left = q->filter.count ? q->filter.count : UINT64_MAX;
	if (!q->filter.count || !q->has_past)
		return;
	past = count_matches(r);
	r->skip = past > q->filter.count ? past - q->filter.count : 0;
}

enum MHD_Result request_streams_answer(struct request_streams *s, struct MHD_Connection *c,
				       const struct request_question *question)
{
	struct request_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	r->streams = s;
	r->question = *question;
	r->feed.connection = c;
	r->feed.fill = on_fill;
	r->feed.gone = on_gone;
	want_headers(r);
	place(r);
	r->next = s->readers;
	s->readers = r;
	s->stats->readers++;
	if (!uv_is_active((uv_handle_t *)&s->beat))
		(void)uv_timer_start(&s->beat, on_beat, BEAT_MS, BEAT_MS); /* has a callback */
	arm(s);
	s->list(s->ctx);
	return feed_answer(&r->feed, REQUEST_TYPE);
}

void request_streams_start(struct request_streams *s, uv_loop_t *loop)
{
	(void)uv_timer_init(loop, &s->wake); /* cannot fail, as the next */
	(void)uv_timer_init(loop, &s->beat);
	s->wake.data = s->beat.data = s;
}

void request_streams_end(struct request_streams *s)
{
	for (struct request_reader *r = s->readers; r; r = r->next) {
		r->end = recorder_next_number(s->recorder);
		pump(r, WAITING_MAX);
		r->feed.is_ended = true;
	}
	for (int i = 0; i < FEED_END_RUNS && s->readers; i++)
		wake_all(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct request_streams *s = handle->data;

	if (--s->open_timers == 0)
		s->stopped(s->stopped_ctx);
}

void request_streams_stop(struct request_streams *s, void (*stopped)(void *ctx), void *ctx)
{
	s->stopped = stopped;
	s->stopped_ctx = ctx;
	s->open_timers = 2;
	uv_close((uv_handle_t *)&s->wake, on_timer_closed);
	uv_close((uv_handle_t *)&s->beat, on_timer_closed);
}
