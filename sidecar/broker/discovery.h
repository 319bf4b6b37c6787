/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers of our Pod as targets, on the loop: each is handed out when it starts, and its
 * end is reported.
 *
 * Starts are reported by the kernel, at the first program that a container
 * executes (capture/execs.h); where that is refused, they are looked for
 * (pod/proc_poller.h).
 */
#ifndef SIDELIGHT_BROKER_DISCOVERY_H
#define SIDELIGHT_BROKER_DISCOVERY_H

#include <uv.h>

#include "broker/targets.h"
#include "capture/execs.h"
#include "pod/containers.h"
#include "pod/proc_poller.h"

/* What happens to the containers. */
struct discovery_ops {
	/* It was allocated, and is given. Returns 0, or negative errno after one log line. */
	int (*found)(void *ctx, struct target *target);
	/* Its last process has ended. */
	void (*ended)(void *ctx, uint64_t cgroup_id);
};

struct discovery {
	const struct discovery_ops *ops;
	void *ctx;
	struct containers *containers;
	struct execs *execs; /* one of these two */
	struct proc_poller *proc_poller;
	uint64_t exec_ns; /* while one is dealt with: when it was; else 0 */
	uv_timer_t timer; /* runs while containers are in the making, for a last look */
	uv_poll_t starts;
	uv_poll_t ends;
};

/*
 * Hands out what is there, and from now on what comes. only: names, or NULL (pod/containers.h).
 * Returns 0, or negative errno after one log line; nothing is to be closed then.
 */
int discovery_start_with(struct discovery *d, uv_loop_t *loop, const struct discovery_ops *ops,
			 void *ctx, const char *only);
/* Likewise, and attaches to them. */
int discovery_start(struct discovery *d, uv_loop_t *loop, struct targets *targets,
		    const char *only);
/* Nothing new is handed out; the loop must run once more. Before it, or after a failure: no-op. */
void discovery_stop(struct discovery *d);

#endif
