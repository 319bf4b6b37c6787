/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an exporter pushes: again and again, later after a failure, and a last time at the end. The
 * exporter pushes; the timer and its rules are here.
 *
 *   WAITING    the timer runs until the next push          -> DUE, or LAST by schedule_stop()
 *   DUE        due() was called; the exporter may do       -> PUSHING by schedule_begin(), or LAST
 *              something else first                           by schedule_stop()
 *   PUSHING    a push is under way; intervals that pass    -> WAITING by schedule_end(), or
 *              are counted                                    LINGERING by schedule_stop()
 *   LINGERING  schedule_stop() was called meanwhile: the   -> ENDING by schedule_end(), or LAST
 *              push gets a third of the time that is left     when that time is over
 *   ENDING     that push has ended                         -> LAST, from the loop
 *   LAST       last() was called: the last push is under   -> DONE by schedule_finish()
 *              way, or what the exporter does after it
 *   DONE       done() is called from the loop
 *
 * The first push comes within five seconds, at a random time, and no interval is exactly as long as
 * was asked for: Pods that start together do not push together. After a failure the next push comes
 * after a delay that doubles up to a minute or the interval, whichever is longer.
 */
#ifndef SIDELIGHT_EXPORT_SCHEDULE_H
#define SIDELIGHT_EXPORT_SCHEDULE_H

#include <stdint.h>
#include <uv.h>

#define SCHEDULE_INTERVAL_MIN_MS 100u

/* How a push ended. */
enum schedule_result {
	SCHEDULE_OK,
	SCHEDULE_FAILED, /* the next try comes within a second, or later if others failed before */
	SCHEDULE_REJECTED, /* the content was refused: the next try comes after an interval */
};

struct schedule_ops {
	/* It is time for a push: schedule_begin(), now or soon. */
	void (*due)(void *ctx);
	/* The time of what is under way is over: it is to be given up. In LAST, schedule_finish()
	 * follows; in LINGERING, last() is called next. */
	void (*expired)(void *ctx);
	/* The last push, within schedule_left_ms(): then schedule_finish(). */
	void (*last)(void *ctx);
};

enum schedule_state {
	SCHEDULE_WAITING,
	SCHEDULE_DUE,
	SCHEDULE_PUSHING,
	SCHEDULE_LINGERING,
	SCHEDULE_ENDING,
	SCHEDULE_LAST,
	SCHEDULE_DONE,
};

/* A member of its exporter, which reads `state` and `skipped`. */
struct schedule {
	enum schedule_state state;
	const struct schedule_ops *ops;
	void *ctx;
	uv_timer_t timer;
	uint64_t interval_ms;
	unsigned failures; /* in a row */
	uint64_t skipped; /* intervals that passed while a push was under way */
	uint64_t random;
	uint64_t stop_at_ms;
	void (*done)(void *ctx);
	void *done_ctx;
	void (*closed)(void *ctx);
};

/* Starts. An interval below SCHEDULE_INTERVAL_MIN_MS is taken for that. */
void schedule_start(struct schedule *s, uv_loop_t *loop, uint64_t interval_ms,
		    const struct schedule_ops *ops, void *ctx);

/*
 * Sets the interval and restarts it: the next push comes one interval from now. A push that waits
 * after a failure keeps its time.
 */
void schedule_set_interval(struct schedule *s, uint64_t interval_ms);

/* In DUE: a push begins, and with it the interval until the next one. */
void schedule_begin(struct schedule *s);
/*
 * In PUSHING or LINGERING: it has ended. Returns the delay until the next one that follows from the
 * failure; 0: there was none, or the next one is the last.
 */
uint64_t schedule_end(struct schedule *s, enum schedule_result result);
/*
 * In WAITING, after schedule_end(): the next push comes no earlier than in ms. Returns the delay
 * until then; in other states it does nothing, and returns 0.
 */
uint64_t schedule_defer(struct schedule *s, uint64_t ms);

/*
 * Calls last(), at once or when the push that is under way has ended or expired, and done() when
 * the exporter has finished. Once per schedule.
 */
void schedule_stop(struct schedule *s, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx);
/* Since schedule_stop(): what is left of the time. */
uint64_t schedule_left_ms(const struct schedule *s);
/* In LAST: the exporter has nothing more to do. */
void schedule_finish(struct schedule *s);

/* Stops the timer; closed(ctx) is called when the loop has let it go, and may free the schedule. */
void schedule_close(struct schedule *s, void (*closed)(void *ctx));

#endif
