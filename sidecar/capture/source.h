/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where events come from: the kernel's ring (ring.h) or a capture file
 * (pcap.h). Everything behind a source is a pure function of its events.
 */
#ifndef SIDELIGHT_CAPTURE_SOURCE_H
#define SIDELIGHT_CAPTURE_SOURCE_H

#include "capture/event.h"

struct source;

struct source_ops {
	int (*drain)(struct source *s, event_fn fn, void *ctx);
	bool (*sleep)(struct source *s);
	int (*fd)(const struct source *s);
	void (*woken)(struct source *s);
	void (*free)(struct source *s);
};

/* First member of every source. */
struct source {
	const struct source_ops *ops;
};

/*
 * Hands out what has happened since the last call, in order. Returns the
 * number of events, at least 1 if anything came; 0 means that there is nothing now
 * (ring) or never again (file). Negative errno when the source is broken.
 */
static inline int source_drain(struct source *s, event_fn fn, void *ctx)
{
	return s->ops->drain(s, fn, ctx);
}

/*
 * The caller is about to wait on the descriptor. Returns false if events came
 * meanwhile: drain first. Until the next drain each event makes the descriptor
 * readable; after it, only a filling buffer does, and the caller drains on a
 * timer of his own.
 */
static inline bool source_sleep(struct source *s)
{
	return s->ops->sleep(s);
}

/* Readable when there is something to drain, until source_woken(); -1 for a file. */
static inline int source_fd(const struct source *s)
{
	return s->ops->fd(s);
}

/* The descriptor was readable: it is not again before something new happens. Drain now. */
static inline void source_woken(struct source *s)
{
	s->ops->woken(s);
}

/* Accepts NULL. */
static inline void source_free(struct source *s)
{
	if (s)
		s->ops->free(s);
}

#endif
