/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records the bytes of one TCP direction that a capture contains.
 *
 * Each byte is seen once, or lost. Lost means that it passed, but the capture does not contain it:
 * the other end acknowledged it, or the snapshot length cut it off. Bytes below `next` that are
 * neither seen nor lost are sequence gaps, and may still come.
 *
 * Invariants, true between any two calls, once is_started:
 *   - gaps are sorted, not empty, do not touch, and end at or below `next`;
 *   - no gap contains a byte below `acked`;
 *   - the distance from the lowest gap to `next` is at most SEEN_WINDOW_MAX;
 *   - all arithmetic is modulo 2^32.
 */
#ifndef SIDELIGHT_CAPTURE_SEEN_H
#define SIDELIGHT_CAPTURE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A burst of loss leaves a handful of gaps. When there are more, the lowest one counts as lost. */
#define SEEN_GAPS_MAX 16

/*
 * The largest TCP window (RFC 7323 section 2.3): a segment further ahead belongs to another
 * connection.
 */
#define SEEN_WINDOW_MAX (1u << 30)

struct seq_range {
	uint32_t from;
	uint32_t to;
};

struct seen {
	bool is_started; /* the other members are valid */
	uint32_t first; /* the first byte */
	uint32_t next; /* end of the bytes seen or lost */
	uint32_t acked; /* the other end has acknowledged everything below */
	unsigned gap_count;
	struct seq_range gap[SEEN_GAPS_MAX];
};

/* The maximum number of new ranges of one call: one in each gap, and one behind them. */
#define SEEN_NEW_MAX (SEEN_GAPS_MAX + 1)

struct seen_result {
	size_t new_count;
	struct seq_range new[SEEN_NEW_MAX]; /* ascending */
	uint32_t lost_bytes; /* bytes that this call marked as lost */
};

/* True if a is before b modulo 2^32 (RFC 9293 section 3.4). */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Sets the first byte. Only while not started. */
void seen_start(struct seen *s, uint32_t seq);

/* The in-order offset: everything below is seen or lost. */
static inline uint32_t seen_floor(const struct seen *s)
{
	return s->gap_count ? s->gap[0].from : s->next;
}

/*
 * True if r is within one window of the in-order offset. A segment outside belongs to another
 * connection.
 */
static inline bool seen_fits(const struct seen *s, struct seq_range r)
{
	uint32_t low = seen_floor(s) - SEEN_WINDOW_MAX;

	return r.from - low <= 2 * SEEN_WINDOW_MAX && r.to - low <= 2 * SEEN_WINDOW_MAX &&
	       r.from - low <= r.to - low;
}

/*
 * Adds the bytes of r, which fits (seen_fits()). If r.from == r.to, r only says how far the
 * direction has come. Must be started.
 */
void seen_add(struct seen *s, struct seq_range r, struct seen_result *ret);

/*
 * Marks the bytes from `next` up to `to` as lost: they passed, but are not in the capture. Returns
 * their number.
 */
uint32_t seen_skip(struct seen *s, uint32_t to);

/* The bytes in all gaps. */
uint32_t seen_gap_bytes(const struct seen *s);

/* True if r, which fits, contains a byte that is neither seen nor lost. */
bool seen_has_new(const struct seen *s, struct seq_range r);

/* True if bytes below `to` are neither seen nor lost. A missing byte may also be a FIN. */
bool seen_is_missing(const struct seen *s, uint32_t to);

/*
 * Adds an acknowledgement: missing bytes below `ack`, if that fits, are lost. Returns their number.
 */
uint32_t seen_ack(struct seen *s, uint32_t ack);

#endif
