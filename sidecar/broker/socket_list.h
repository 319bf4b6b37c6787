/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open connections of all targets with TCP's numbers, for whoever looks at the metrics or at
 * the control socket now. The kernel is asked only when the worker asks, so requests cost nothing.
 *
 * The worker takes a list in parts: for each CHANNEL_LIST it gets some messages SOCKETS and one
 * LISTED, which says whether there is more.
 */
#ifndef SIDELIGHT_BROKER_SOCKET_LIST_H
#define SIDELIGHT_BROKER_SOCKET_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/channel.h"
#include "broker/socket_members.h"
#include "broker/targets.h"
#include "pod/sock_diag.h"

/* Ports from 0 to 65535, a bit each. */
#define SOCKET_LIST_PORTS (65536 / 8)

struct socket_list {
	struct targets *targets; /* borrowed; NULL: not started */
	bool is_of_target; /* the network namespace is not ours, but of a process */
	int diag_fd; /* -1: not open */
	bool is_broken; /* the kernel does not answer */
	bool is_listing;
	bool is_cut;
	bool has_storage; /* the list tells which connections are followed */
	struct sock_diag_list list;
	struct socket_members members;
	uint64_t numbers[PROGRAMS_CGROUPS_MAX]; /* of the targets, when the list began */
	int map_fds[PROGRAMS_STORAGES];
	struct channel_message message; /* SOCKETS that are not sent yet */
	uint8_t *ports; /* owned: those of listeners */
	uint64_t cost_ns; /* CPU time of this list */
	uint64_t not_before_ns; /* CLOCK_MONOTONIC */
};

/* is_of_target: see socket_list_open(). */
void socket_list_start(struct socket_list *l, struct targets *targets, bool is_of_target);
/*
 * Lists the network namespace of this process, the first time that it is called. Without it, and if
 * !is_of_target, ours is listed.
 */
void socket_list_open(struct socket_list *l, pid_t pid);
/* Before the start, or again: no-op. */
void socket_list_stop(struct socket_list *l);

/* The worker asks for the next part. */
void socket_list_send(struct socket_list *l);

#endif
