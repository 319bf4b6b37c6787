/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the packets of a capture passed: their times, made into a clock that does not go back.
 *
 *   - Packets that change places by less than ARRIVALS_STEP_NS are ordinary: time stands still.
 *   - A single packet whose time is far from those before and behind it is a stray: it gets the
 *     time of the packet behind it, which is nearly always an acknowledgement. So a packet whose
 *     time jumps waits for the next one.
 *   - A clock that is set back goes on from where it was, so that later durations are right.
 */
#ifndef SIDELIGHT_CAPTURE_ARRIVALS_H
#define SIDELIGHT_CAPTURE_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Back by so much is no change of places. */
#define ARRIVALS_STEP_NS 1000000000u

/* Ahead by so much may be a stray: many gaps of a capture are that long, so little is known yet. */
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
	uint64_t set_back; /* how often */
	uint64_t strays;
	bool is_waiting; /* the packet below, with its time, for the next one */
	uint64_t waiting_ns;
	struct raw_packet waiting;
	char *copy; /* owned: the bytes of the packet that waits */
	size_t copy_size;
};

typedef void (*arrival_fn)(void *ctx, const struct raw_packet *p, uint64_t time_ns);

/* fn is called for the packet that waited, then for this one unless it has to wait. */
void arrivals_packet(struct arrivals *a, const struct raw_packet *p, uint64_t time_ns,
		     arrival_fn fn, void *ctx);

/* Nothing follows, or not soon: the packet that waits is believed. */
void arrivals_flush(struct arrivals *a, arrival_fn fn, void *ctx);

void arrivals_release(struct arrivals *a);

#endif
