// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Reports that a process of this PID namespace executes a program in a cgroup that user space does
 * not know yet: the start of a container.
 *
 * A process outside of the namespace costs one comparison, and a process in a known cgroup costs
 * one look-up more. Neither wakes user space.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Device and inode of the namespace's file, as the kernel encodes them. */
const volatile __u64 ns_dev;
const volatile __u64 ns_ino;

/* Executions for which the ring had no room. */
volatile __u32 lost;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* cgroup */
	__type(value, __u8);
} known SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} execs SEC(".maps");

/* A raw tracepoint, because other kinds need tracefs, which a container does not have. */
SEC("raw_tracepoint/sched_process_exec")
int sl_exec(void *ctx)
{
	struct bpf_pidns_info ns = {};
	struct sl_exec *rec;
	__u64 cgroup;

	(void)ctx;
	if (bpf_get_ns_current_pid_tgid(ns_dev, ns_ino, &ns, sizeof(ns)))
		return 0;
	cgroup = bpf_get_current_cgroup_id();
	if (bpf_map_lookup_elem(&known, &cgroup))
		return 0;
	rec = bpf_ringbuf_reserve(&execs, sizeof(*rec), 0);
	if (!rec) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	rec->cgroup = cgroup;
	rec->time_ns = bpf_ktime_get_ns();
	rec->pid = ns.tgid;
	rec->pad = 0;
	bpf_ringbuf_submit(rec, 0);
	return 0;
}
