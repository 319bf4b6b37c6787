/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reader.h"

static void on_timer(uv_timer_t *timer);
static void on_readable(uv_poll_t *poll, int status, int events);

static void set_awake(struct reader *r)
{
	if (r->state == READER_ASLEEP)
		(void)uv_timer_start(&r->timer, on_timer, READER_PERIOD_MS, READER_PERIOD_MS);
	r->state = READER_AWAKE;
}

void reader_drain(struct reader *r)
{
	if (r->source && source_drain(r->source, r->fn, r->ctx) > 0)
		set_awake(r);
}

static void on_timer(uv_timer_t *timer)
{
	struct reader *r = timer->data;

	if (source_drain(r->source, r->fn, r->ctx) > 0) {
		r->state = READER_AWAKE;
		return;
	}
	if (!source_has_wakeups(r->source))
		return;
	if (!source_sleep(r->source)) {
		reader_drain(r);
		return;
	}
	if (r->state == READER_AWAKE) {
		r->state = READER_DROWSY;
		return;
	}
	r->state = READER_ASLEEP;
	(void)uv_timer_stop(&r->timer); /* cannot fail */
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct reader *r = poll->data;

	(void)status; /* an error shows as readable, and drains nothing */
	(void)events;
	source_woken(r->source);
	reader_drain(r);
}

int reader_start(struct reader *r, uv_loop_t *loop, struct source *source, event_fn fn, void *ctx)
{
	bool has_wakeups = source_has_wakeups(source);
	int err = 0;

	*r = (struct reader){.state = READER_ASLEEP, .source = source, .fn = fn, .ctx = ctx};
	if (has_wakeups)
		err = uv_poll_init(loop, &r->poll, source_fd(source));
	if (err) {
		r->source = NULL;
		return err;
	}
	(void)uv_timer_init(loop, &r->timer); /* cannot fail */
	r->poll.data = r;
	r->timer.data = r;
	if (has_wakeups)
		err = uv_poll_start(&r->poll, UV_READABLE, on_readable);
	else
		set_awake(r);
	if (err)
		reader_stop(r);
	else
		reader_drain(r);
	return err;
}

void reader_stop(struct reader *r)
{
	if (source_has_wakeups(r->source))
		uv_close((uv_handle_t *)&r->poll, NULL);
	uv_close((uv_handle_t *)&r->timer, NULL);
	r->source = NULL;
}
