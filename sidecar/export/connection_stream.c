/* SPDX-License-Identifier: Apache-2.0 */
#include "export/connection_stream.h"

#include <stdlib.h>

#include "export/connection_line.h"
#include "export/feed.h"
#include "export/httpd.h"

#define INTERVAL_MS 1000
/* A client that does not read gets no more lines until it does. */

struct reader {
	struct feed feed; /* first */
	struct connection_streams *streams;
	struct reader *next;
	bool is_following;
	bool is_waiting; /* for the list that was asked for */
};

/*
 *   RESTING  nobody reads
 *   ASKED    for a list; when the timer runs out, once more: a question may be dropped
 *   LISTED   it has come: the timer runs out at once, and it is sent
 *   PAUSING  until the next is asked for
 */
enum phase { RESTING, ASKED, LISTED, PAUSING };

struct connection_streams {
	struct connection_stream_options o;
	struct httpd *httpd; /* borrowed; NULL: nobody has read yet */
	struct reader *readers;
	size_t count;
	enum phase phase;
	uv_timer_t timer;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct connection_streams *s, enum phase phase, uint64_t ms)
{
	s->phase = phase;
	(void)uv_timer_start(&s->timer, on_timer, ms, 0); /* has a callback */
}

struct connection_streams *connection_streams_new(const struct connection_stream_options *o)
{
	struct connection_streams *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->o = *o;
	(void)uv_timer_init(o->loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	return s;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void connection_streams_free(struct connection_streams *s)
{
	if (s)
		uv_close((uv_handle_t *)&s->timer, on_closed);
}

/* Readers stay where they are: feed_wake() does not call back. */
static void send_list(struct connection_streams *s, bool is_last)
{
	struct text line;

	text_init(&line);
	connection_line_add(&line, &(struct connection_lines){.engine = s->o.engine,
							      .sockets = s->o.sockets,
							      .rows_max = CONNECTION_ROWS_MAX,
							      .container = s->o.container,
							      .ctx = s->o.ctx});
	for (struct reader *r = s->readers; r; r = r->next) {
		if (r->is_waiting)
			s->o.stats->windows_lost += !feed_add_whole(&r->feed, &line);
		r->is_waiting = r->is_following;
		r->feed.is_ended |= is_last || !r->is_following;
		feed_wake(&r->feed);
	}
	text_release(&line);
}

static void ask(struct connection_streams *s)
{
	set_timer(s, ASKED, INTERVAL_MS);
	s->o.list(s->o.ctx);
}

static void on_timer(uv_timer_t *timer)
{
	struct connection_streams *s = timer->data;

	if (s->phase == LISTED) {
		set_timer(s, PAUSING, INTERVAL_MS);
		send_list(s, false);
		httpd_flush(s->httpd);
	} else if (s->readers) {
		ask(s);
	} else {
		s->phase = RESTING;
	}
}

void connection_streams_listed(struct connection_streams *s)
{
	if (s->phase == ASKED)
		set_timer(s, LISTED, 0);
}

static void on_fill(struct feed *f)
{
	(void)f; /* the timer does it */
}

static void on_gone(struct feed *f)
{
	struct reader *r = (struct reader *)f;
	struct reader **at = &r->streams->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->streams->count--;
	free(r);
}

bool connection_streams_have_room(const struct connection_streams *s)
{
	return s->count < CONNECTION_READERS_MAX;
}

enum MHD_Result connection_streams_answer(struct connection_streams *s, struct httpd *httpd,
					  struct MHD_Connection *c, bool is_following)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	s->httpd = httpd;
	r->streams = s;
	r->is_following = is_following;
	r->is_waiting = true;
	r->feed.connection = c;
	r->feed.fill = on_fill;
	r->feed.gone = on_gone;
	r->next = s->readers;
	s->readers = r;
	s->count++;
	/* Nobody waits for the next second. */
	if (s->phase == RESTING || s->phase == PAUSING)
		set_timer(s, PAUSING, 0);
	return feed_answer(&r->feed, "application/x-ndjson");
}

void connection_streams_end(struct connection_streams *s, struct httpd *httpd)
{
	send_list(s, true);
	for (int i = 0; i < FEED_END_RUNS && s->readers; i++)
		httpd_flush(httpd);
}
