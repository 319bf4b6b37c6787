// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Copies the secrets of TLS handshakes: a uprobe in the key-log function of a TLS library, attached
 * by uprobe_multi to single processes, and hit a few times per handshake. A probe that is shared by
 * all processes reads nothing of those outside of the watched cgroups. secret_event.bpf.c takes
 * the place of the uprobe where the kernel has no uprobe_multi.
 *
 * Only the secrets that decrypt records are copied. Those of exporters and of resumption are not.
 * Two tracepoints report new processes, so that a library is found before its first handshake: a
 * fork or execve() of a process outside of our PID namespace costs one comparison.
 * A separate object, which is loaded only if TLS is to be decrypted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "secret.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Device and inode of our PID namespace's file, as the kernel has them. */
const volatile __u64 ns_dev;
const volatile __u64 ns_ino;
const volatile struct sl_layout layout;

/* The ids of the same cgroups as in `watched`: programs that may sleep have no map of cgroups. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SL_WATCHED_MAX);
	__type(key, __u64);
	__type(value, __u8);
} watched_ids SEC(".maps");

/* Records that find it full are dropped: the reader looks at all processes after any record. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} processes SEC(".maps");

#define CGROUP_DEPTH_MAX 16

/* As is_watched(); kernel 5.15 has the helper. */
static __always_inline bool is_watched_by_id(void)
{
	for (int level = 0; level < CGROUP_DEPTH_MAX; level++) {
		__u64 cgroup = bpf_get_current_ancestor_cgroup_id(level);

		if (!cgroup)
			return false;
		if (bpf_map_lookup_elem(&watched_ids, &cgroup))
			return true;
	}
	return false;
}

SEC("uprobe.s")
int sl_secret(__u64 *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 registers[16];
	struct sl_secret *s;
	__u32 index;
	__u32 kind;

	if (cookie & SL_COOKIE_SHARED && !is_watched_by_id())
		return 0;
	read_registers(ctx, registers);
	kind = read_kind(registers, cookie, true);
	if (kind == SL_SECRET_KINDS)
		return 0;
	index = __sync_fetch_and_add(&counters.next_element, 1) % SL_SECRETS;
	s = bpf_map_lookup_elem(&secrets, &index);
	if (!s || __sync_val_compare_and_swap(&s->is_taken, 0, 1))
		__sync_fetch_and_add(&lost.full, 1);
	else
		hand_over(s, index, registers, cookie, kind, true);
	return 0;
}

static __always_inline __u32 read_number(__u64 object, __u32 at)
{
	__u32 n = 0;

	bpf_probe_read_kernel(&n, sizeof(n), (void *)(object + at)); /* 0 if it fails */
	return n;
}

static __always_inline __u64 read_pointer(__u64 object, __u32 at)
{
	__u64 p = 0;

	bpf_probe_read_kernel(&p, sizeof(p), (void *)(object + at)); /* NULL if it fails */
	return p;
}

/* The levels of PID namespaces that are looked at. */
#define LEVELS 4

/* The number of a new process in our PID namespace, at most the fourth; 0: it is not in there. */
static __always_inline __u32 number_of(__u64 task)
{
	__u64 pid = read_pointer(task, layout.task_thread_pid);
	__u32 level = read_number(pid, layout.pid_level);

	for (__u32 i = 0; i < LEVELS && i <= level; i++) {
		__u64 number = pid + layout.pid_numbers + i * layout.upid_size;

		if (read_number(read_pointer(number, layout.upid_ns), layout.ns_inum) == ns_ino)
			return read_number(number, layout.upid_nr);
	}
	return 0;
}

/* child: a task_struct; 0 if the current process executes a program. */
static __always_inline void send_process(__u64 child)
{
	struct bpf_pidns_info ns = {};
	struct sl_process p;

	if (bpf_get_ns_current_pid_tgid(ns_dev, ns_ino, &ns, sizeof(ns)) || !is_watched())
		return;
	p.pid = child ? number_of(child) : ns.tgid;
	p.parent = child ? ns.tgid : 0;
	bpf_ringbuf_output(&processes, &p, sizeof(p), 0);
}

SEC("raw_tracepoint/sched_process_exec")
int sl_process_exec(void *ctx)
{
	(void)ctx;
	send_process(0);
	return 0;
}

/* Also called for each thread, which is no process. */
SEC("raw_tracepoint/sched_process_fork")
int sl_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 child = ctx->args[1];

	if (read_number(child, layout.task_pid) == read_number(child, layout.task_tgid))
		send_process(child);
	return 0;
}
