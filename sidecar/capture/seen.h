/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes of one TCP direction a capture has shown so far.
 *
 * A byte is seen once, or lost: lost means that the capture does not have it
 * although it passed (the other side acknowledged it, or a snapshot length
 * cut it off). What is neither seen nor lost below `next` is a hole, and may
 * still come.
 *
 * Invariants, true between any two calls, once is_started:
 *   - holes are sorted, not empty, do not touch, and end at or below `next`;
 *   - no hole holds a byte below `acked`;
 *   - from the lowest hole to `next` it is at most SEEN_WINDOW_MAX;
 *   - all arithmetic is modulo 2^32.
 */
#ifndef SIDELIGHT_CAPTURE_SEEN_H
#define SIDELIGHT_CAPTURE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A burst of loss leaves a handful; beyond it the lowest hole counts as lost. */
#define SEEN_HOLES_MAX 16

/* No window is larger (RFC 7323 section 2.3), so what is further ahead is not of this connection.
 */
#define SEEN_WINDOW_MAX (1u << 30)

struct seq_range {
	uint32_t from;
	uint32_t to;
};

struct seen {
	bool is_started; /* the rest is valid */
	uint32_t first; /* where it started */
	uint32_t next; /* end of what was seen or lost */
	uint32_t acked; /* the other side has everything below */
	unsigned hole_count;
	struct seq_range hole[SEEN_HOLES_MAX];
};

/* Ranges that one call can find to be new: each hole, and what lies beyond. */
#define SEEN_NEW_MAX (SEEN_HOLES_MAX + 1)

struct seen_result {
	size_t new_count;
	struct seq_range new[SEEN_NEW_MAX]; /* ascending */
	uint32_t lost_bytes; /* became lost by this call */
};

/* a before b, within half of the sequence space. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* The first byte will be `seq`. Only while not started. */
void seen_start(struct seen *s, uint32_t seq);

/* Everything below is seen or lost. */
static inline uint32_t seen_floor(const struct seen *s)
{
	return s->hole_count ? s->hole[0].from : s->next;
}

/* Not further from what is still missing than a window: only then is r of this connection. */
static inline bool seen_fits(const struct seen *s, struct seq_range r)
{
	uint32_t low = seen_floor(s) - SEEN_WINDOW_MAX;

	return r.from - low <= 2 * SEEN_WINDOW_MAX && r.to - low <= 2 * SEEN_WINDOW_MAX &&
	       r.from - low <= r.to - low;
}

/*
 * The bytes of r passed. It fits; r.from may equal r.to, then r only tells how
 * far the direction has come. Started.
 */
void seen_add(struct seen *s, struct seq_range r, struct seen_result *ret);

/* The bytes from `next` up to `to` passed, and are not in the capture. They fit.
 * Returns how many are lost. */
uint32_t seen_cut(struct seen *s, uint32_t to);

/* Bytes of the holes: missing so far. */
uint32_t seen_hole_bytes(const struct seen *s);

/* Is there a byte in r that is neither seen nor lost? r fits. */
bool seen_has_new(const struct seen *s, struct seq_range r);

/* Are there bytes below `to` that are neither seen nor lost, or, if it is one, maybe a FIN? */
bool seen_is_missing(const struct seen *s, uint32_t to);

/* The other side has everything below `ack`, if that fits. Returns the bytes that are now lost. */
uint32_t seen_ack(struct seen *s, uint32_t ack);

#endif
