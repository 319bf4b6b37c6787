// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Counts the network system calls of cgroups, by thread or by cgroup. Loaded only while somebody
 * asks for it, because these tracepoints are passed by every system call of the node:
 *
 *     sys_enter of any other call        a look-up in an array
 *     sys_enter of another cgroup        and one in a table of known cgroups
 *     sys_exit of a thread without an
 *     open call, whatever it calls       a look-up in a table of open calls
 *
 * A thread is in one call at a time, so its rows and its open call have one writer. With by_target
 * a row is of a cgroup, and threads add to it atomically.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "kernel_types.bpf.h"
#include "socket_reads.bpf.h"
#include "syscalls.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TS_COMPAT      0x2 /* arch/x86/include/asm/thread_info.h */
#define TIF_32BIT      22 /* arch/arm64/include/asm/thread_info.h */
#define PID_LEVELS_MAX 33 /* MAX_PID_NS_LEVEL, and the first one */
#define MESSAGES_MAX   1024 /* UIO_MAXIOV */
#define MMSGHDR_SIZE   64 /* of a 64-bit program: include/linux/socket.h */
#define MMSGHDR_LENGTH 56 /* where msg_len is in it */
#define ERRORS_FROM    (-4095) /* include/linux/err.h */

/* By system call number: SL_CALL_POSITION and what else is in that enum. */
const volatile __u16 numbers[SL_CALL_NUMBERS];
/* The inode of the reader's PID namespace. */
const volatile __u32 own_pid_namespace;
const volatile bool by_target;

/* The number of each target, by its position in `targets`; a change needs a new generation. */
volatile __u32 target_numbers[SL_CALL_TARGETS_MAX];
volatile __u32 generation;
volatile __u32 is_counting;

/* Calls that are not counted: there was no room for the open call; or the program is 32-bit. */
volatile __u64 lost;
volatile __u64 of_32bit;
/* Errors for whose number there was no room: they are among all errors of their rows. */
volatile __u64 errors_unnamed;

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, SL_CALL_TARGETS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

/* Cgroups of the node that were looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, struct sl_call_cgroup);
} known_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* tid */
	__type(value, struct sl_open_call);
} open_calls SEC(".maps");

/* User space sets the sizes of these two. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sl_call_key);
	__type(value, struct sl_call_row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sl_call_error);
	__type(value, __u64);
} errors SEC(".maps");

/* By call: those of threads for which `rows` has no room. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_CALLS_MAX);
	__type(key, __u32);
	__type(value, struct sl_call_row);
} overflow SEC(".maps");

/* A new row: always zero, since it has no room on the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_call_row);
} empty_row SEC(".maps");

/* Returns the number of the target that the current task is in or below, or 0. */
static __always_inline __u32 find_target(__u64 cgroup)
{
	struct sl_call_cgroup found = {.generation = generation};

	for (__u32 i = 0; i < SL_CALL_TARGETS_MAX; i++) {
		if (target_numbers[i] && bpf_current_task_under_cgroup(&targets, i) == 1) {
			found.target = target_numbers[i];
			break;
		}
	}
	/* If it fails, it is looked at again. */
	(void)bpf_map_update_elem(&known_cgroups, &cgroup, &found, BPF_ANY);
	return found.target;
}

static __always_inline __u32 current_target(void)
{
	__u64 cgroup = bpf_get_current_cgroup_id();
	struct sl_call_cgroup *known = bpf_map_lookup_elem(&known_cgroups, &cgroup);

	return known && known->generation == generation ? known->target : find_target(cgroup);
}

/* Whether this call is one of a 32-bit program: numbers and structures differ. */
static __always_inline bool is_32bit(struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.status))
		return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
	return BPF_CORE_READ(task, thread_info.flags) >> TIF_32BIT & 1;
}

static __always_inline __u64 argument(void *regs, int position)
{
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->di))
		return position == 0   ? BPF_CORE_READ(x86, di)
		       : position == 1 ? BPF_CORE_READ(x86, si)
				       : BPF_CORE_READ(x86, dx);
	return position == 0   ? BPF_CORE_READ(arm64, regs[0])
	       : position == 1 ? BPF_CORE_READ(arm64, regs[1])
			       : BPF_CORE_READ(arm64, regs[2]);
}

/* The number that the reader's PID namespace has for it, or 0. */
static __always_inline __u32 shown_number(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	char *numbers_of_pid = (char *)pid + bpf_core_field_offset(struct pid, numbers);
	__u32 level = BPF_CORE_READ(pid, level);

	for (__u32 i = 0; i < PID_LEVELS_MAX && i <= level; i++) {
		struct upid *number =
			(void *)(numbers_of_pid + i * bpf_core_type_size(struct upid));

		if (BPF_CORE_READ(number, ns, ns.inum) == own_pid_namespace)
			return (__u32)BPF_CORE_READ(number, nr);
	}
	return 0;
}

static __always_inline void read_names(struct sl_call_row *row, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	(void)bpf_get_current_comm(row->thread_name, sizeof(row->thread_name));
	/* Both are readable kernel memory. */
	(void)bpf_probe_read_kernel_str(row->process_name, sizeof(row->process_name),
					&leader->comm);
	row->named_ns = bpf_ktime_get_ns();
}

static __always_inline void add(__u64 *sum, __u64 n)
{
	if (by_target)
		__sync_fetch_and_add(sum, n);
	else
		*sum += n;
}

static __always_inline void describe(struct sl_call_row *row, struct task_struct *task,
				     __u32 target)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	row->process = bpf_get_current_pid_tgid() >> 32;
	row->process_started_ns = BPF_CORE_READ(leader, start_time);
	row->shown_process = shown_number(leader);
	row->shown_thread = shown_number(task);
	row->target = target;
	read_names(row, task);
}

/* The row is made when a call begins, so that a call that never returns has one. */
static __always_inline void make_row(const struct sl_call_key *key, struct task_struct *task,
				     __u32 target)
{
	__u32 zero = 0;
	struct sl_call_row *row = bpf_map_lookup_elem(&rows, key);

	if (row)
		return;
	row = bpf_map_lookup_elem(&empty_row, &zero);
	/* Without room the call is counted in `overflow`. */
	if (!row || bpf_map_update_elem(&rows, key, row, BPF_NOEXIST))
		return;
	row = bpf_map_lookup_elem(&rows, key);
	if (row && !by_target)
		describe(row, task, target);
}

static __always_inline int on_enter(void *regs, __u32 call, __u32 target)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct sl_open_call open = {.call = call, .target = target};
	struct sl_call_key key = {.tid = by_target ? target : tid,
				  .call = (call & SL_CALL_POSITION) - 1};

	if (is_32bit(task)) {
		__sync_fetch_and_add(&of_32bit, 1);
		return 0;
	}
	if (call & SL_CALL_32BIT)
		return 0;
	if (call & (SL_CALL_ON_FIRST | SL_CALL_ON_THIRD) &&
	    !(call & SL_CALL_ON_FIRST && is_socket(task, (__u32)argument(regs, 0))) &&
	    !(call & SL_CALL_ON_THIRD && is_socket(task, (__u32)argument(regs, 2))))
		return 0;
	if (call & SL_CALL_MESSAGES)
		open.messages = argument(regs, 1);
	if (call & SL_CALL_READS)
		open.fd = (__u32)argument(regs, 0);
	if (!by_target)
		open.thread_started_ns = key.thread_started_ns = BPF_CORE_READ(task, start_time);
	open.sleeps = BPF_CORE_READ(task, nvcsw);
	make_row(&key, task, target);
	open.entered_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&open_calls, &tid, &open, BPF_ANY))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

SEC("raw_tracepoint/sys_enter")
int sl_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 number = ctx->args[1];
	__u32 target;
	__u32 call;

	if (number >= SL_CALL_NUMBERS)
		return 0;
	call = numbers[number];
	if (!call)
		return 0;
	target = current_target();
	if (!target)
		return 0;
	if (call & SL_CALL_EXEC) {
		is_counting = 1;
		return 0;
	}
	return is_counting ? on_enter((void *)ctx->args[0], call, target) : 0;
}

static __always_inline __u32 log2_of(__u64 n)
{
	__u32 bits = 0;

	for (int half = 32; half; half /= 2) {
		if (n >> half) {
			n >>= half;
			bits += half;
		}
	}
	return bits;
}

/* A global function (bpf/README.md, "Written for the verifier"), as is the next one. */
__noinline __u32 bucket_of(__u64 ns)
{
	__u32 bits = log2_of(ns);

	if (bits < SL_CALL_FIRST_BITS)
		return 0;
	if (bits >= SL_CALL_LAST_BITS)
		return SL_CALL_BUCKETS - 1;
	return ((bits - SL_CALL_FIRST_BITS) << SL_CALL_SUB_BITS) +
	       (ns >> (bits - SL_CALL_SUB_BITS) & ((1 << SL_CALL_SUB_BITS) - 1)) + 1;
}

/* The kernel has written msg_len of each just now, so they are in memory. */
__noinline __u64 bytes_of_messages(__u64 messages, long count)
{
	__u64 sum = 0;

	for (long i = 0; i < MESSAGES_MAX && i < count; i++) {
		__u32 length = 0;

		(void)bpf_probe_read_user(&length, sizeof(length),
					  (void *)(messages + i * MMSGHDR_SIZE + MMSGHDR_LENGTH));
		sum += length;
	}
	return sum;
}

static __always_inline void count_error(const struct sl_call_key *key, __u32 error)
{
	struct sl_call_error by = {.key = *key, .error = error};
	__u64 *known = bpf_map_lookup_elem(&errors, &by);
	__u64 one = 1;

	if (!known) {
		if (!bpf_map_update_elem(&errors, &by, &one, BPF_NOEXIST))
			return;
		known = bpf_map_lookup_elem(&errors, &by); /* another thread was faster */
	}
	if (known)
		add(known, 1);
	else
		__sync_fetch_and_add(&errors_unnamed, 1);
}

/* A thread changes its name by itself, or at an execve(). */
static __always_inline void update_names(struct sl_call_row *row, struct task_struct *task)
{
	__u64 now[SL_CALL_COMM_SIZE / 8] = {0};
	const __u64 *then = (const __u64 *)row->thread_name;

	(void)bpf_get_current_comm(now, sizeof(now));
	if (now[0] != then[0] || now[1] != then[1])
		read_names(row, task);
}

static __always_inline __u64 bytes_moved(const struct sl_open_call *open, long result)
{
	if (result <= 0)
		return 0;
	if (open->call & SL_CALL_BYTES)
		return result;
	return open->call & SL_CALL_MESSAGES ? bytes_of_messages(open->messages, result) : 0;
}

static __always_inline void count(struct sl_call_row *row, __u64 bytes, long result, __u64 time_ns,
				  bool has_slept)
{
	__u32 bucket = bucket_of(time_ns);

	add(&row->count, 1);
	if (result < 0 && result >= ERRORS_FROM)
		add(&row->errors, 1);
	if (bytes)
		add(&row->bytes, bytes);
	add(&row->time_ns, time_ns);
	if (time_ns > row->max_ns)
		row->max_ns = time_ns;
	if (has_slept) {
		add(&row->blocked, 1);
		add(&row->blocked_ns, time_ns);
	}
	/* The verifier does not know what the compiler knows of bucket_of(). */
	asm volatile("" : "+r"(bucket));
	if (bucket >= SL_CALL_BUCKETS)
		return;
	if (by_target)
		__sync_fetch_and_add(&row->bucket[bucket], 1);
	else
		row->bucket[bucket]++;
}

static __always_inline int on_exit(const struct sl_open_call *open, __u32 tid, long result,
				   bool reports_reads)
{
	__u64 now_ns = bpf_ktime_get_ns();
	__u64 time_ns = now_ns - open->entered_ns;
	__u64 bytes = bytes_moved(open, result);
	struct task_struct *task = (void *)bpf_get_current_task();
	bool has_slept = BPF_CORE_READ(task, nvcsw) != open->sleeps;
	struct sl_call_key key = {
		.thread_started_ns = open->thread_started_ns,
		.tid = by_target ? open->target : tid,
		.call = (open->call & SL_CALL_POSITION) - 1,
	};
	struct sl_call_row *row = bpf_map_lookup_elem(&rows, &key);
	bool has_row = row;

	if (reports_reads && open->call & SL_CALL_READS && bytes)
		report_read(task, open->fd, bytes, now_ns);
	if (!row)
		row = bpf_map_lookup_elem(&overflow, &key.call);
	if (!row)
		return 0;
	count(row, bytes, result, time_ns, has_slept);
	if (!has_row)
		return 0;
	if (!by_target)
		update_names(row, task);
	if (result < 0 && result >= ERRORS_FROM)
		count_error(&key, (__u32)-result);
	return 0;
}

static __always_inline int end_call(struct bpf_raw_tracepoint_args *ctx, bool reports_reads)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct sl_open_call *known = bpf_map_lookup_elem(&open_calls, &tid);
	struct sl_open_call open;

	if (!known)
		return 0;
	open = *known;
	(void)bpf_map_delete_elem(&open_calls, &tid); /* it is there */
	return on_exit(&open, tid, (long)ctx->args[1], reports_reads);
}

SEC("raw_tracepoint/sys_exit")
int sl_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return end_call(ctx, false);
}

/* Instead of sl_sys_exit: with the ring of the capture, whose operations old kernels lack. */
SEC("raw_tracepoint/sys_exit")
int sl_exit_reads(struct bpf_raw_tracepoint_args *ctx)
{
	return end_call(ctx, true);
}
