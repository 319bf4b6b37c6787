/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what the kernel and our capabilities allow, by trying it. Versions are never compared,
 * since distributions backport features.
 *
 * The checks run in the order of causes; those that need bpf() are skipped when it is refused. They
 * leave nothing behind, and take at most two milliseconds each, but for the two that look at all
 * cgroups and at all listeners. `sidelight doctor` prints them all.
 */
#ifndef SIDELIGHT_CAPTURE_PROBE_H
#define SIDELIGHT_CAPTURE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_state {
	PROBE_YES,
	PROBE_NO,
	PROBE_UNKNOWN, /* could not be tried: bpf() itself is refused */
};

struct probe {
	const char *name; /* static */
	const char *disables; /* static: the feature that is lost without it */
	bool is_needed; /* `run` requires it */
	enum probe_state state;
	char detail[160]; /* the finding, or the reason; "" if there is nothing to say */
};

#define PROBE_MAX 24

/* Runs every check; ring_bytes is the size of the ring to try. Returns the number of checks. */
size_t probe_all(struct probe ret_probes[PROBE_MAX], uint64_t ring_bytes);

/*
 * Runs the checks that `run` requires. Returns 0, or -ENOTSUP after one log line that names the
 * first failed check and what to do. Called before attaching, or after it failed, to find the
 * reason.
 */
int probe_require(uint64_t ring_bytes);

/* True if cgroup_skb programs can read the thread that sends (Linux 6.10). */
bool probe_has_thread_id(void);
/* True if programs can use atomic compare-and-exchange (Linux 5.12). */
bool probe_has_atomics(void);

#endif
