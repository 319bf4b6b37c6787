/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/no_requests_log.h"

#include <stddef.h>

#include "base/log.h"
#include "base/text.h"
#include "export/unseen.h"

/* Since the start. */
static const uint64_t steps_ms[] = {10000, 60000, 600000, 3600000};
#define STEPS (sizeof(steps_ms) / sizeof(steps_ms[0]))

static void on_timer(uv_timer_t *timer);

static void set_timer(struct no_requests_log *q)
{
	uint64_t before = q->step ? steps_ms[q->step - 1] : 0;

	if (q->step < STEPS)
		(void)uv_timer_start(&q->timer, on_timer, steps_ms[q->step] - before, 0);
}

static void say(const struct no_requests_log *q, const struct engine_stats *stats)
{
	struct text out;

	text_init(&out);
	unseen_add(&out, stats, q->world);
	log_info("run: %s", out.ptr);
	text_release(&out);
}

static void on_timer(uv_timer_t *timer)
{
	struct no_requests_log *q = timer->data;
	const struct engine_stats *stats;
	enum no_requests reason;

	q->before(q->ctx);
	stats = engine_stats(q->engine);
	reason = no_requests_reason(stats, q->world);
	if (reason == NO_REQUESTS_MAX)
		return;
	/* A program may take its time until it is asked anything. */
	if (q->step > 0 || reason != NO_REQUESTS_NO_CONNECTION)
		say(q, stats);
	q->step++;
	set_timer(q);
}

void no_requests_log_start(struct no_requests_log *q, uv_loop_t *loop, struct engine *engine,
			   const struct no_requests_world *world, void (*before)(void *ctx),
			   void *ctx)
{
	*q = (struct no_requests_log){
		.engine = engine, .world = world, .before = before, .ctx = ctx};
	(void)uv_timer_init(loop, &q->timer); /* cannot fail */
	q->timer.data = q;
	set_timer(q);
}

void no_requests_log_stop(struct no_requests_log *q)
{
	if (!q->engine)
		return;
	q->engine = NULL;
	uv_close((uv_handle_t *)&q->timer, NULL);
}
