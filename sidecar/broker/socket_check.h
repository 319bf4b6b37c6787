/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the sockets of all targets now and then, and says of whose traffic
 * the hooks see nothing: in one line of the log for each target and reason, and
 * to the worker, for the metrics.
 *
 * Listeners that were made in a cgroup without processes, as those of a socket
 * unit of systemd are, or those of processes that have all been moved, are not
 * only named: that cgroup is attached to, which costs nobody else anything.
 */
#ifndef SIDELIGHT_BROKER_SOCKET_CHECK_H
#define SIDELIGHT_BROKER_SOCKET_CHECK_H

#include <stdbool.h>
#include <uv.h>

#include "broker/socket_list.h"
#include "broker/socket_look.h"
#include "broker/targets.h"

/* Between looks, at least, once the first few have been made: they follow a new target closely. */
#define SOCKET_CHECK_MS 15000

struct socket_check {
	struct targets *targets; /* borrowed; NULL: not started */
	bool is_prompt;
	int diag_fd; /* -1: not open */
	bool is_broken; /* the kernel does not answer; one line said so */
	bool is_elsewhere; /* diag_fd belongs to another network namespace than ours */
	unsigned looks; /* since a target was added */
	bool is_looking; /* look is under way */
	struct socket_look look;
	int parts; /* that it has added */
	uint64_t cost_ns; /* CPU time of the last look */
	uint64_t looks_total;
	uint64_t looks_cut; /* that did not come to the end */
	bool has_silent; /* the last look saw connections that may be in a sockmap */
	bool has_tried; /* to load sockmap */
	struct sockmap *sockmap; /* NULL: not loaded */
	bool is_sockmap_cut; /* the last reading was not complete */
	struct socket_memories memories;
	struct socket_list list; /* for the worker */
	/* What the worker and the log know of each target. */
	struct socket_check_said {
		uint64_t number; /* of the target; 0: none */
		char name[TARGET_NAME_MAX];
		uint32_t now[UNSEEN_MAX];
		bool has_said[UNSEEN_MAX];
	} said[PROGRAMS_CGROUPS_MAX]; /* by position in the set of targets */
	uv_timer_t timer;
};

/*
 * From now on every target that is added is looked at. is_prompt: before the
 * addition returns, since its processes are there already; the network
 * namespace that is looked at is that of the first of them.
 */
void socket_check_start(struct socket_check *c, uv_loop_t *loop, struct targets *targets,
			bool is_prompt);
/* No more looks; the loop must run once more. Before the start, or again: no-op. */
void socket_check_stop(struct socket_check *c);

#endif
