/* SPDX-License-Identifier: Apache-2.0 */
#include "export/route_stream.h"

#include <stdlib.h>

#include "export/feed.h"
#include "export/httpd.h"

/* A client that does not read gets no more windows until it does. */

struct route_reader {
	struct feed feed; /* first */
	struct route_stream *stream;
	struct route_reader *next;
};

/* Windows of one length, one or one after the other, and who reads them. */
struct route_stream {
	struct route_streams *streams;
	struct route_stream *next;
	struct route_reader *readers; /* at least one */
	struct route_question question;
	struct route_window window;
	uv_timer_t timer;
};

static size_t *count_of(struct route_streams *s, bool is_shared)
{
	return is_shared ? &s->shared_count : &s->count;
}

size_t route_streams_count(const struct route_streams *s)
{
	return s->count + s->shared_count;
}

/* Readers stay where they are: feed_wake() does not call back. */
static void end_window(struct route_stream *t, bool is_last)
{
	struct route_streams *s = t->streams;
	struct text line;

	text_init(&line);
	s->catch_up(s->ctx);
	if (t->window.summary)
		route_window_add(&line, &t->window, t->question.by, t->question.has_durations);
	route_window_close(&t->window);
	is_last = is_last || !route_window_open(&t->window, s->engine, t->question.by);
	if (is_last)
		(void)uv_timer_stop(&t->timer); /* cannot fail */
	for (struct route_reader *r = t->readers; r; r = r->next) {
		s->stats->windows_lost += !feed_add_whole(&r->feed, &line);
		r->feed.is_ended |= is_last;
		feed_wake(&r->feed);
	}
	text_release(&line);
}

static void on_window(uv_timer_t *timer)
{
	struct route_stream *t = timer->data;
	struct httpd *httpd = t->streams->httpd;

	end_window(t, !t->question.is_following);
	httpd_flush(httpd); /* t may be gone then */
}

static void on_fill(struct feed *f)
{
	(void)f; /* the timer does it */
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Nobody reads it any more. */
static void close_stream(struct route_stream *t)
{
	struct route_stream **at = &t->streams->first;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	--*count_of(t->streams, t->question.is_following);
	route_window_close(&t->window);
	uv_close((uv_handle_t *)&t->timer, on_closed);
}

static void on_gone(struct feed *f)
{
	struct route_reader *r = (struct route_reader *)f;
	struct route_stream *t = r->stream;
	struct route_reader **at = &t->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free(r);
	if (!t->readers)
		close_stream(t);
}

static struct route_stream *find_shared(const struct route_streams *s,
					const struct route_question *q)
{
	struct route_stream *t = q->is_following ? s->first : NULL;

	while (t && !(t->question.is_following && t->question.by == q->by &&
		      t->question.has_durations == q->has_durations &&
		      t->question.window_ms == q->window_ms && t->window.summary))
		t = t->next;
	return t;
}

bool route_streams_have_room(const struct route_streams *s, const struct route_question *q)
{
	if (find_shared(s, q))
		return true;
	return q->is_following ? s->shared_count < ROUTE_SHARED_MAX : s->count < ROUTE_WINDOWS_MAX;
}

/* NULL: no memory. */
static struct route_stream *open_stream(struct route_streams *s, const struct route_question *q)
{
	struct route_stream *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->streams = s;
	t->question = *q;
	if (!route_window_open(&t->window, s->engine, q->by)) {
		free(t);
		return NULL;
	}
	(void)uv_timer_init(s->loop, &t->timer); /* cannot fail, as the next */
	t->timer.data = t;
	(void)uv_timer_start(&t->timer, on_window, q->window_ms, q->window_ms);
	t->next = s->first;
	s->first = t;
	++*count_of(s, q->is_following);
	return t;
}

enum MHD_Result route_streams_answer(struct route_streams *s, struct MHD_Connection *c,
				     const struct route_question *q)
{
	struct route_stream *t = find_shared(s, q);
	struct route_reader *r = calloc(1, sizeof(*r));

	if (r && !t)
		t = open_stream(s, q);
	if (!r || !t) {
		free(r);
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	}
	r->stream = t;
	r->feed.connection = c;
	r->feed.fill = on_fill;
	r->feed.gone = on_gone;
	r->next = t->readers;
	t->readers = r;
	return feed_answer(&r->feed, "application/x-ndjson");
}

void route_streams_end(struct route_streams *s)
{
	for (struct route_stream *t = s->first; t; t = t->next)
		end_window(t, true);
	for (int i = 0; i < FEED_END_RUNS && s->first; i++)
		httpd_flush(s->httpd);
}
