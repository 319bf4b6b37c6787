/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup that --cgroup or --pid names, on the loop: when it is removed and
 * made again, as the restart of a service does, the new one is attached to.
 */
#ifndef SIDELIGHT_BROKER_NAMED_H
#define SIDELIGHT_BROKER_NAMED_H

#include <stdint.h>
#include <uv.h>

#include "broker/targets.h"
#include "pod/follow.h"

struct named {
	struct targets *targets; /* borrowed */
	struct follow *follow; /* NULL: not started */
	char name[TARGET_NAME_MAX]; /* of every target of this path */
	char path[PATH_MAX];
	uint64_t cgroup_id; /* of the latest target; 0: it has ended */
	uv_poll_t poll;
};

/*
 * Follows a target that was added to the set. If that is not possible one line
 * is logged, and the target stays as it is.
 */
void named_start(struct named *n, uv_loop_t *loop, struct targets *targets,
		 const struct target *target);
/* Two lines: what is watched, and what that keeps others from. */
void named_announce(const struct target *target);
/* Nothing is attached to any more; the loop must run once more. Not started: no-op. */
void named_stop(struct named *n);

#endif
