/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of what is watched: each target with its attachment. The worker
 * learns of a target before its first event, gets its last counters before it
 * is detached, and the number of those WATCHED whenever that changes.
 *
 *   WATCHED   attached                                   targets_add()
 *   ENDED     its processes are gone; what their         targets_end()
 *             sockets still send and close is seen
 *   -         detached, ten seconds later, or when its place is needed
 */
#ifndef SIDELIGHT_BROKER_TARGETS_H
#define SIDELIGHT_BROKER_TARGETS_H

#include <stdbool.h>
#include <uv.h>

#include "broker/channel.h"
#include "capture/programs.h"
#include "pod/target.h"

struct targets {
	struct programs *programs; /* borrowed */
	int channel; /* to the worker; borrowed */
	bool is_deaf; /* the worker did not take a message: it does not read */
	uint64_t numbers; /* given to targets so far */
	uv_timer_t timer; /* runs while a target is ENDED */
	/* A target is WATCHED; NULL: nobody asks. */
	void (*on_added)(void *ctx, const struct target *target);
	void *on_added_ctx;
	/* The set has changed; NULL: nobody asks. */
	/* A place in the set is free again. */
	void (*on_dropped)(void *ctx);
	void *on_dropped_ctx;
	void (*on_changed)(void *ctx);
	void *on_changed_ctx;
	struct targets_slot {
		struct target *target; /* owned; NULL: free */
		uint64_t until_ms; /* of the loop's clock; 0: WATCHED */
		uint64_t part_of; /* cgroup id of the target whose sockets these are; 0: none */
	} slots[PROGRAMS_CGROUPS_MAX];
};

void targets_init(struct targets *t, uv_loop_t *loop, struct programs *programs, int channel);

/*
 * Attaches to a target, which was allocated and is given, and gets its number
 * here. A target that ENDED and whose cgroup this is goes on under its old
 * number. Returns 0 or negative errno; then the target is still the caller's.
 */
int targets_add(struct targets *t, struct target *target);
/*
 * Likewise to a cgroup without processes whose sockets are held by those of a
 * target. It ends with that target, and is none of those that are counted.
 */
int targets_add_part(struct targets *t, struct target *target, uint64_t part_of);
/* Detaches at once, from its parts too: it costs others something now. */
void targets_drop(struct targets *t, uint64_t cgroup_id);
/* The position of a target by the id of its cgroup; -1: there is none. */
int targets_find(const struct targets *t, uint64_t cgroup_id);
/* Its last process has ended. */
void targets_end(struct targets *t, uint64_t cgroup_id);

/* Sends the kernel's counters of each to the worker. */
void targets_refresh(struct targets *t);

/* Ends of connections that found no room in the ring. */
void targets_send_closes(struct targets *t);

/* Detaches from all; events that are in the ring still come. */
void targets_detach(struct targets *t);
/* Closes the timer: the loop must run once more. */
void targets_close(struct targets *t);
/* After that: frees what is left. Accepts a zeroed set. */
void targets_release(struct targets *t);

#endif
