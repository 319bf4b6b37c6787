/* SPDX-License-Identifier: Apache-2.0 */
#include "export/schedule.h"

#include <stdbool.h>
#include <sys/random.h>

#include "base/hash.h"

#define FIRST_MS       5000u /* the first push comes within this time */
#define BACKOFF_MIN_MS 1000u
#define BACKOFF_CAP_MS 60000u

/* A part of ms between these shares (in 1/1000). */
static uint64_t jitter(struct schedule *s, uint64_t ms, uint64_t from, uint64_t to)
{
	s->random = hash_mix(s->random, 1);
	return ms * (from + s->random % (to - from + 1)) / 1000;
}

static void on_timer(uv_timer_t *timer);

static void wait_ms(struct schedule *s, uint64_t ms)
{
	(void)uv_timer_start(&s->timer, on_timer, ms, 0); /* has a callback */
}

static void wait_interval(struct schedule *s)
{
	wait_ms(s, jitter(s, s->interval_ms, 900, 1100));
}

static uint64_t backoff_ms(struct schedule *s, enum schedule_result result)
{
	uint64_t cap = s->interval_ms > BACKOFF_CAP_MS ? s->interval_ms : BACKOFF_CAP_MS;
	bool is_soon = result == SCHEDULE_FAILED && s->interval_ms >= BACKOFF_MIN_MS;
	uint64_t ms = is_soon ? BACKOFF_MIN_MS : s->interval_ms;

	for (unsigned i = 1; i < s->failures && ms < cap; i++)
		ms *= 2;
	return jitter(s, ms < cap ? ms : cap, 500, 1000);
}

static void begin_last(struct schedule *s)
{
	s->state = SCHEDULE_LAST;
	wait_ms(s, schedule_left_ms(s));
	s->ops->last(s->ctx);
}

static void on_timer(uv_timer_t *timer)
{
	struct schedule *s = timer->data;

	switch (s->state) {
	case SCHEDULE_WAITING:
		s->state = SCHEDULE_DUE;
		s->ops->due(s->ctx);
		break;
	case SCHEDULE_DUE:
		break; /* no timer runs */
	case SCHEDULE_PUSHING:
		s->skipped++;
		wait_interval(s);
		break;
	case SCHEDULE_LINGERING:
		s->ops->expired(s->ctx);
		begin_last(s);
		break;
	case SCHEDULE_ENDING:
		begin_last(s);
		break;
	case SCHEDULE_LAST:
		s->ops->expired(s->ctx);
		break;
	case SCHEDULE_DONE:
		s->done(s->done_ctx);
		break;
	}
}

static void set_interval(struct schedule *s, uint64_t interval_ms)
{
	s->interval_ms =
		interval_ms < SCHEDULE_INTERVAL_MIN_MS ? SCHEDULE_INTERVAL_MIN_MS : interval_ms;
}

void schedule_start(struct schedule *s, uv_loop_t *loop, uint64_t interval_ms,
		    const struct schedule_ops *ops, void *ctx)
{
	*s = (struct schedule){.state = SCHEDULE_WAITING, .ops = ops, .ctx = ctx};
	set_interval(s, interval_ms);
	(void)uv_timer_init(loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	if (getrandom(&s->random, sizeof(s->random), GRND_NONBLOCK) < 0)
		s->random = uv_hrtime();
	wait_ms(s, jitter(s, s->interval_ms < FIRST_MS ? s->interval_ms : FIRST_MS, 0, 1000));
}

void schedule_set_interval(struct schedule *s, uint64_t interval_ms)
{
	set_interval(s, interval_ms);
	if (s->state == SCHEDULE_PUSHING || (s->state == SCHEDULE_WAITING && s->failures == 0))
		wait_interval(s);
}

void schedule_begin(struct schedule *s)
{
	s->state = SCHEDULE_PUSHING;
	wait_interval(s);
}

uint64_t schedule_end(struct schedule *s, enum schedule_result result)
{
	uint64_t ms;

	if (s->state == SCHEDULE_LINGERING) {
		s->state = SCHEDULE_ENDING;
		wait_ms(s, 0);
		return 0;
	}
	s->state = SCHEDULE_WAITING;
	if (result == SCHEDULE_OK) {
		s->failures = 0;
		return 0; /* the interval has begun with the push */
	}
	s->failures++;
	ms = backoff_ms(s, result);
	wait_ms(s, ms);
	return ms;
}

uint64_t schedule_defer(struct schedule *s, uint64_t ms)
{
	uint64_t due_ms = uv_timer_get_due_in(&s->timer);

	if (s->state != SCHEDULE_WAITING)
		return 0;
	if (due_ms >= ms)
		return due_ms;
	wait_ms(s, ms);
	return ms;
}

void schedule_stop(struct schedule *s, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx)
{
	uv_update_time(s->timer.loop);
	s->stop_at_ms = uv_now(s->timer.loop) + deadline_ms;
	s->done = done;
	s->done_ctx = ctx;
	if (s->state == SCHEDULE_PUSHING) {
		s->state = SCHEDULE_LINGERING;
		wait_ms(s, deadline_ms / 3);
	} else {
		begin_last(s);
	}
}

uint64_t schedule_left_ms(const struct schedule *s)
{
	uint64_t now = uv_now(s->timer.loop);

	return s->stop_at_ms > now ? s->stop_at_ms - now : 0;
}

/* done() may close the exporter, so it is called from the timer, not from within a transfer. */
void schedule_finish(struct schedule *s)
{
	s->state = SCHEDULE_DONE;
	wait_ms(s, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct schedule *s = handle->data;

	s->closed(s->ctx);
}

void schedule_close(struct schedule *s, void (*closed)(void *ctx))
{
	s->closed = closed;
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
