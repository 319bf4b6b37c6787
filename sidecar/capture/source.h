/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of a source of events: the BPF programs' ring (ring.h) or a capture file (pcap.h).
 * Everything behind a source is a pure function of its events.
 *
 * Optional abilities are members of source_ops that may be NULL; callers do not depend on the kind
 * of the source.
 */
#ifndef SIDELIGHT_CAPTURE_SOURCE_H
#define SIDELIGHT_CAPTURE_SOURCE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/event.h"

struct source;

/* Totals since the source was opened. */
struct source_counters {
	uint64_t malformed; /* malformed records */
	uint64_t answers; /* frame starts that were reported to the source */
};

struct source_ops {
	int (*drain)(struct source *s, event_fn fn, void *ctx);
	void (*free)(struct source *s);
	/* Wake-ups: all three functions, or none. */
	int (*fd)(const struct source *s);
	bool (*sleep)(struct source *s);
	void (*woken)(struct source *s);
	/* Answer NULL: answers are not accepted. counters NULL: nothing is counted. */
	int (*answer)(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq);
	void (*counters)(const struct source *s, struct source_counters *ret_counters);
};

/* The first member of every source. */
struct source {
	const struct source_ops *ops;
};

/*
 * Calls fn for the events since the last call, in order. Returns the number of events, at least 1
 * if anything came. 0 means that there is nothing now (ring) or any more (file). Returns negative
 * errno if the source is broken.
 */
static inline int source_drain(struct source *s, event_fn fn, void *ctx)
{
	return s->ops->drain(s, fn, ctx);
}

/*
 * True if the source has a descriptor that shows when there is something to drain. Otherwise the
 * caller drains continuously.
 */
static inline bool source_has_wakeups(const struct source *s)
{
	return s->ops->fd;
}

/*
 * With wake-ups: the caller is about to wait on the descriptor. Returns false if events came in the
 * meantime: drain first. Until the next drain each event makes the descriptor readable; after it,
 * only a filling buffer does, and the caller drains on a timer.
 */
static inline bool source_sleep(struct source *s)
{
	return s->ops->sleep(s);
}

/* With wake-ups: readable when there is something to drain, until source_woken(). */
static inline int source_fd(const struct source *s)
{
	return s->ops->fd(s);
}

/* The descriptor was readable: resets it. The caller drains next. */
static inline void source_woken(struct source *s)
{
	s->ops->woken(s);
}

/*
 * Answers an event with wants_frame_start: an HTTP/2 frame of this direction starts at seq. Returns
 * 0, or negative errno: the answer is dropped, and a later event asks again.
 */
static inline int source_answer(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	return s->ops->answer ? s->ops->answer(s, conn_id, dir, seq) : -ENOTSUP;
}

/* All zero if the source counts nothing. */
static inline struct source_counters source_counters(const struct source *s)
{
	struct source_counters counters = {0};

	if (s->ops->counters)
		s->ops->counters(s, &counters);
	return counters;
}

/* Accepts NULL. */
static inline void source_free(struct source *s)
{
	if (s)
		s->ops->free(s);
}

#endif
