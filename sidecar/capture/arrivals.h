/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the times of a capture's packets into a monotonic clock.
 *
 *   - Packets that are out of order by less than ARRIVALS_STEP_NS are usual: the clock stands
 *     still.
 *   - A single packet whose time is far from those before and behind it is a stray: it gets the
 *     time of the packet behind it, which is nearly always an acknowledgement. Therefore a
 *     packet whose time jumps is stored until the next one.
 *   - When the capture's clock is set back, the clock continues, so that later durations are
 *     right.
 */
#ifndef SIDELIGHT_CAPTURE_ARRIVALS_H
#define SIDELIGHT_CAPTURE_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* A larger step back is not reordering. */
#define ARRIVALS_STEP_NS 1000000000u

/*
 * A larger jump ahead may be a stray. Many captures have such pauses, so the next packet decides.
 */
#define ARRIVALS_JUMP_NS 100000000u

struct raw_packet {
	int link;
	struct span captured;
	size_t wire_len;
};

/* All zeros: ready. */
struct arrivals {
	uint64_t first_ns; /* 0: no packet */
	uint64_t last_ns;
	uint64_t shift_ns; /* added to the capture's times since its clock was set back */
	uint64_t set_back; /* how often the clock was set back */
	uint64_t strays;
	bool is_waiting; /* the packet below is stored until the next one */
	uint64_t waiting_ns;
	struct raw_packet waiting;
	char *copy; /* owned: the bytes of the stored packet */
	size_t copy_size;
};

typedef void (*arrival_fn)(void *ctx, const struct raw_packet *p, uint64_t time_ns);

/* Calls fn for the stored packet, then for this one unless it is stored. */
void arrivals_packet(struct arrivals *a, const struct raw_packet *p, uint64_t time_ns,
		     arrival_fn fn, void *ctx);

/* No packet follows soon: calls fn for the stored packet with its own time. */
void arrivals_flush(struct arrivals *a, arrival_fn fn, void *ctx);

void arrivals_release(struct arrivals *a);

#endif
