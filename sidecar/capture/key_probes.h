/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracepoints that report new processes in watched cgroups, and uprobes that copy the secrets of
 * TLS handshakes (bpf/secrets.bpf.c), each attached to one file in one process, or to one file in
 * all processes that map it.
 *
 * Needs CAP_BPF and CAP_PERFMON; what else depends on the kernel: enum key_probes_way. Functions
 * return 0 or negative errno.
 */
#ifndef SIDELIGHT_CAPTURE_KEY_PROBES_H
#define SIDELIGHT_CAPTURE_KEY_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/secret_ring.h"
#include "elf/key_log.h"
#include "pod/cgroup.h"

struct key_probes;

enum key_probes_way {
	KEY_PROBES_OF_PROCESSES, /* by uprobe_multi (6.10, commit 46ba0e49b642) */
	/* The same, but a link that is kept to a process misses all threads but one (6.6 to 6.9).
	 */
	KEY_PROBES_OF_ALL,
	KEY_PROBES_BY_EVENTS, /* older kernels, with CAP_SYS_ADMIN (key_events.h) */
};

/*
 * Loads the program. -EOPNOTSUPP: the kernel has no uprobe_multi, and CAP_SYS_ADMIN is missing.
 * -ENOENT: it has no type information (BTF). -ENODEV: it has no uprobes. -EPERM: it refuses them.
 */
int key_probes_new(struct key_probes **ret_probes);
/* Links are closed by who has them. Accepts NULL. */
void key_probes_free(struct key_probes *p);

/*
 * Attaches to the file that file_fd has open, in process pid: also to what the process maps later.
 * pid 0, which is the only way with KEY_PROBES_OF_ALL: in all processes, of which those in watched
 * cgroups count. Returns the link's descriptor. Closing it waits for other CPUs (some 40 ms).
 */
int key_probes_attach(struct key_probes *p, int file_fd, pid_t pid,
		      const struct key_log_site *site);

/* Why it failed, for the log; borrowed until the next call. */
const char *key_probes_reason(int err);

enum key_probes_way key_probes_way(const struct key_probes *p);

/* The cgroup of that slot, below SL_WATCHED_MAX, is watched, with all below it: its new processes
 * are reported. */
int key_probes_watch(struct key_probes *p, uint32_t slot, const struct cgroup *cg);
void key_probes_forget(struct key_probes *p, uint32_t slot, uint64_t cgroup_id);

/* Readable when there are new processes. */
int key_probes_fd(const struct key_probes *p);
/*
 * Calls fn for each process that has executed a program, with parent 0, or that was forked. A pid
 * of 0 is not known.
 */
typedef void (*key_probes_process_fn)(void *ctx, pid_t pid, pid_t parent);
void key_probes_processes(struct key_probes *p, key_probes_process_fn fn, void *ctx);
/* For whoever reads the secrets: descriptors that stay p's. */
void key_probes_secret_maps(const struct key_probes *p, int ret_fds[SECRET_RING_MAPS]);

#endif
