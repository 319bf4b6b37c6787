/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracepoints that report new processes in watched cgroups, and uprobes that copy the secrets of
 * TLS handshakes (bpf/secrets.bpf.c), each attached to one file in one process. A process
 * without such a probe runs no program of ours.
 *
 * Needs CAP_BPF and CAP_PERFMON, and a kernel that keeps a uprobe_multi link to one process (6.10,
 * commit 46ba0e49b642). Functions return 0 or negative errno.
 */
#ifndef SIDELIGHT_CAPTURE_KEY_PROBES_H
#define SIDELIGHT_CAPTURE_KEY_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/event.h"
#include "elf/key_log.h"

struct key_probes;

/* Loads the program. -EOPNOTSUPP: this kernel has no such links, or only such that miss threads. */
int key_probes_new(struct key_probes **ret_probes);
/* Links are closed by who has them. Accepts NULL. */
void key_probes_free(struct key_probes *p);

/*
 * Attaches to the file that file_fd has open, in process pid: also to what the process maps later.
 * pid 0: in all processes, of which those in watched cgroups count. Returns the link's descriptor.
 * Closing it waits for other CPUs (some 40 ms).
 */
int key_probes_attach(struct key_probes *p, int file_fd, pid_t pid,
		      const struct key_log_site *site);

/* A cgroup is watched, with all below it: its new processes are reported. */
int key_probes_watch(struct key_probes *p, uint64_t cgroup_id);
void key_probes_forget(struct key_probes *p, uint64_t cgroup_id);

/* Readable when there are secrets, or new processes. */
int key_probes_fd(const struct key_probes *p);
/*
 * Calls fn for each process that has executed a program, with parent 0, or that was forked. A pid
 * of 0 is not known.
 */
typedef void (*key_probes_process_fn)(void *ctx, pid_t pid, pid_t parent);
void key_probes_processes(struct key_probes *p, key_probes_process_fn fn, void *ctx);
/* Takes up to max secrets, and overwrites them in the kernel. The caller overwrites its copies.
 * Returns how many. */
size_t key_probes_take(struct key_probes *p, struct sl_secret *ret_secrets, size_t max);
/* Secrets that could not be handed over, since the start. */
uint64_t key_probes_lost(const struct key_probes *p);

#endif
