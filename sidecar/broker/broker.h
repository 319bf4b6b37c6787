/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privilege separation for `sidelight run`: two processes, as in OpenSSH.
 *
 *   broker   holds the capabilities. Finds the targets in /proc, loads and
 *            attaches the BPF programs, starts CMD, takes the signals, and
 *            waits for the worker.
 *   worker   reads what strangers send: records of the ring, HTTP, answers of
 *            gateways. Holds no capability and cannot get one (pod/sandbox.h).
 *
 * They share the memory of the ring, and a channel (broker/channel.h). Each
 * ends when the other does; whichever way the broker ends, the kernel detaches
 * its programs.
 *
 *   STARTING   the worker is forked; programs load; targets are attached to
 *   RUNNING    the worker is READY; CMD was let go
 *   STOPPING   the worker has been sent STOP, or is gone; it has a deadline
 */
#ifndef SIDELIGHT_BROKER_BROKER_H
#define SIDELIGHT_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly one of the first three is set, or none: the containers of this Pod. */
struct broker_options {
	char **argv; /* CMD and its arguments, ends in NULL */
	uint64_t pid;
	const char *cgroup;
	const char *containers; /* of a Pod: comma-separated names; NULL: all but proxies */
	uint64_t for_ms; /* 0: no end */
	size_t ring_bytes; /* a power of two */
	uint64_t conn_cap; /* connections that the worker follows at once */
	bool has_tls; /* hand over the secrets of TLS connections */
	bool names_processes; /* tell the worker what processes are called */
	bool may_count_syscalls; /* when the worker asks for it */
};

/* Runs in a process of its own and returns its exit status; channel is owned by it. */
typedef int (*broker_worker_fn)(void *ctx, int channel);

/*
 * Until a signal, the end of for_ms, or the end of CMD. Returns the exit status:
 * of CMD, else of the worker; 2 after one log line if nothing can be watched.
 */
int broker_run(const struct broker_options *o, broker_worker_fn worker, void *ctx);

#endif
