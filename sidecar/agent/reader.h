/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to drain a source, on a libuv loop.
 *
 *   ASLEEP   nothing happens: no timer; the first event wakes  -> AWAKE
 *   AWAKE    events flow: drained every READER_PERIOD_MS, the  -> DROWSY
 *            kernel wakes us only if the ring fills faster
 *   DROWSY   a period without events: wake-ups are on again,   -> ASLEEP, AWAKE
 *            and one period more for an event that came while
 *            they were being turned on
 *
 * A source without wake-ups is always AWAKE.
 */
#ifndef SIDELIGHT_AGENT_READER_H
#define SIDELIGHT_AGENT_READER_H

#include <uv.h>

#include "capture/source.h"

#define READER_PERIOD_MS 30

enum reader_state { READER_ASLEEP, READER_AWAKE, READER_DROWSY };

struct reader {
	enum reader_state state;
	struct source *source; /* borrowed; NULL: not started, or stopped */
	event_fn fn;
	void *ctx;
	uv_poll_t poll; /* with wake-ups only */
	uv_timer_t timer;
};

/* Starts. Returns 0 or negative errno. */
int reader_start(struct reader *r, uv_loop_t *loop, struct source *source, event_fn fn, void *ctx);
static inline bool reader_is_running(const struct reader *r)
{
	return r->source;
}

/* Drains everything that has happened up to now. A reader that is not running: no-op. */
void reader_drain(struct reader *r);
/* Stops; the loop must run once more before r goes. */
void reader_stop(struct reader *r);

#endif
