/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel and these capabilities allow, found out by trying: no
 * version is ever compared, since distributions move features both ways.
 *
 * Each check stands alone, leaves nothing behind and takes well under a
 * millisecond or two; `sidelight doctor` prints them all.
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
	const char *disables; /* static: what is lost without it */
	bool is_needed; /* `run` cannot work without it */
	enum probe_state state;
	char detail[160]; /* what was found, or why not; "" if there is nothing to say */
};

#define PROBE_MAX 24

/* Does every check; ring_bytes is how large a ring must be allowed. Returns how many there are. */
size_t probe_all(struct probe ret_probes[PROBE_MAX], uint64_t ring_bytes);

/*
 * Does those that `run` needs. Returns 0, or -ENOTSUP after one log line that
 * names the first that failed and what to do. To be called when attaching has
 * failed, for the reason; or before it.
 */
int probe_require(uint64_t ring_bytes);

/* The kernel lets cgroup_skb programs ask which thread sends (6.10). */
bool probe_has_thread_id(void);
/* Programs may exchange a value for another (5.12). */
bool probe_has_atomics(void);

#endif
