// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Copies the secrets of TLS handshakes: a uprobe in the key-log function of a TLS library, attached
 * by uprobe_multi to single processes, and hit a few times per handshake. A probe that is shared by
 * all processes reads nothing of those outside of the watched cgroups.
 *
 * Only the secrets that decrypt records are copied. Those of exporters and of resumption are not.
 * Two tracepoints report new processes, so that a library is found before its first handshake: a
 * fork or execve() of a process outside of our PID namespace costs one comparison.
 * A separate object, which is loaded only if TLS is to be decrypted.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Secrets that user space does not get: there is no free element; the process's memory cannot be
 * read. */
volatile __u64 lost_full;
volatile __u64 lost_memory;

__u32 next_element;

/* Device and inode of our PID namespace's file, as the kernel has them. */
const volatile __u64 ns_dev;
const volatile __u64 ns_ino;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SL_SECRETS);
	__type(key, __u32);
	__type(value, struct sl_secret);
} secrets SEC(".maps");

/* Indices of elements that are filled. A record takes 16 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * SL_SECRETS);
} filled SEC(".maps");

/* Cgroups that are watched, with all below them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u8);
} watched SEC(".maps");

/* Records that find it full are dropped: the reader looks at all processes after any record. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} processes SEC(".maps");

/* The members of the kernel's types that are read; the loader finds their offsets. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[]; /* since 6.5; one for each namespace, the outermost first */
};

struct task_struct {
	int pid;
	int tgid;
	struct pid *thread_pid;
};
#pragma clang attribute pop

/* The machine is arm64. */
const volatile __u8 is_arm64;

/* Members of struct pt_regs of x86-64 (arch/x86/include/uapi/asm/ptrace.h), by position. */
enum {
	R15,
	R14,
	R13,
	R12,
	BP,
	BX,
	R11,
	R10,
	R9,
	R8,
	AX,
	CX,
	DX,
	SI,
	DI,
	ORIG_AX,
	IP,
	CS,
	FLAGS,
	SP
};

/*
 * Orders the registers by their numbers in instructions. Struct user_pt_regs of arm64, which the
 * context is there, begins with x0 to x30.
 */
static __always_inline void read_registers(const __u64 *ctx, __u64 ret_registers[16])
{
	if (is_arm64) {
		/*
		 * By a helper: the compiler would choose between two members of the context, and
		 * the verifier refuses an address that depends on a condition.
		 */
		if (bpf_probe_read_kernel(ret_registers, 16 * sizeof(ret_registers[0]), ctx))
			__builtin_memset(ret_registers, 0, 16 * sizeof(ret_registers[0]));
		return;
	}
	ret_registers[0] = ctx[AX];
	ret_registers[1] = ctx[CX];
	ret_registers[2] = ctx[DX];
	ret_registers[3] = ctx[BX];
	ret_registers[4] = ctx[SP];
	ret_registers[5] = ctx[BP];
	ret_registers[6] = ctx[SI];
	ret_registers[7] = ctx[DI];
	ret_registers[8] = ctx[R8];
	ret_registers[9] = ctx[R9];
	ret_registers[10] = ctx[R10];
	ret_registers[11] = ctx[R11];
	ret_registers[12] = ctx[R12];
	ret_registers[13] = ctx[R13];
	ret_registers[14] = ctx[R14];
	ret_registers[15] = ctx[R15];
}

#define WORD(a, b, c, d, e, f, g, h)                                                               \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)
#define FIRST(n) (~0ull >> (64 - 8 * (n)))

#define CLIENT_RANDOM_0 WORD('C', 'L', 'I', 'E', 'N', 'T', '_', 'R')
#define CLIENT_RANDOM_1 WORD('A', 'N', 'D', 'O', 'M', 0, 0, 0)
#define CLIENT_H	WORD('C', 'L', 'I', 'E', 'N', 'T', '_', 'H')
#define SERVER_H	WORD('S', 'E', 'R', 'V', 'E', 'R', '_', 'H')
#define ANDSHAKE	WORD('A', 'N', 'D', 'S', 'H', 'A', 'K', 'E')
#define _TRAFFIC	WORD('_', 'T', 'R', 'A', 'F', 'F', 'I', 'C')
#define _SECRET		WORD('_', 'S', 'E', 'C', 'R', 'E', 'T', 0)
#define CLIENT_T	WORD('C', 'L', 'I', 'E', 'N', 'T', '_', 'T')
#define SERVER_T	WORD('S', 'E', 'R', 'V', 'E', 'R', '_', 'T')
#define RAFFIC_S	WORD('R', 'A', 'F', 'F', 'I', 'C', '_', 'S')
#define ECRET_0		WORD('E', 'C', 'R', 'E', 'T', '_', '0', 0)

/* SL_SECRET_KINDS: a label of another kind. Go's have no zero at their end. */
static __always_inline __u32 kind_of(const __u64 w[4])
{
	if (w[0] == CLIENT_RANDOM_0 && (w[1] & FIRST(5)) == CLIENT_RANDOM_1)
		return SL_SECRET_MASTER;
	if ((w[0] == CLIENT_H || w[0] == SERVER_H) && w[1] == ANDSHAKE && w[2] == _TRAFFIC &&
	    (w[3] & FIRST(7)) == _SECRET)
		return w[0] == CLIENT_H ? SL_SECRET_CLIENT_HANDSHAKE : SL_SECRET_SERVER_HANDSHAKE;
	if ((w[0] == CLIENT_T || w[0] == SERVER_T) && w[1] == RAFFIC_S &&
	    (w[2] & FIRST(7)) == ECRET_0)
		return w[0] == CLIENT_T ? SL_SECRET_CLIENT_TRAFFIC : SL_SECRET_SERVER_TRAFFIC;
	return SL_SECRET_KINDS;
}

/* The string may end at the end of what is mapped, or its page may not be in memory. */
static __always_inline bool read_label(__u64 ret_words[4], __u64 from)
{
	return bpf_copy_from_user(ret_words, 32, (void *)from) == 0 ||
	       bpf_probe_read_user_str(ret_words, 32, (void *)from) > 0;
}

static __always_inline bool fill(struct sl_secret *s, const __u64 registers[16], __u64 cookie,
				 __u32 kind)
{
	void *value = (void *)registers[cookie >> SL_COOKIE_SECRET & 15];
	void *random = (void *)registers[cookie >> SL_COOKIE_RANDOM & 15];
	__u64 len = registers[cookie >> SL_COOKIE_LENGTH & 15];

	s->kind = kind;
	s->len = len == 32 ? 32 : 48;
	s->has_random = cookie & SL_COOKIE_HAS_RANDOM ? 1 : 0;
	s->session =
		cookie & SL_COOKIE_HAS_SESSION ? registers[cookie >> SL_COOKIE_SESSION & 15] : 0;
	s->tgid = bpf_get_current_pid_tgid() >> 32;
	if (s->has_random && bpf_copy_from_user(s->client_random, 32, random))
		return false;
	if (len == 32)
		return bpf_copy_from_user(s->value, 32, value) == 0;
	return bpf_copy_from_user(s->value, 48, value) == 0;
}

#define CGROUP_DEPTH_MAX 16

/* Is the current process in a watched cgroup? */
static __always_inline bool is_watched(void)
{
	for (int level = 0; level < CGROUP_DEPTH_MAX; level++) {
		__u64 cgroup = bpf_get_current_ancestor_cgroup_id(level);

		if (!cgroup)
			return false;
		if (bpf_map_lookup_elem(&watched, &cgroup))
			return true;
	}
	return false;
}

SEC("uprobe.s")
int sl_secret(__u64 *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 registers[16];
	__u64 label[4] = {};
	struct sl_secret *s;
	__u32 index;
	__u64 len;
	__u32 kind;

	if (cookie & SL_COOKIE_SHARED && !is_watched())
		return 0;
	read_registers(ctx, registers);
	if (!read_label(label, registers[cookie >> SL_COOKIE_LABEL & 15])) {
		__sync_fetch_and_add(&lost_memory, 1);
		return 0;
	}
	kind = kind_of(label);
	len = registers[cookie >> SL_COOKIE_LENGTH & 15] & 0xffffffff;
	if (kind == SL_SECRET_KINDS || (len != 32 && len != 48))
		return 0;
	index = __sync_fetch_and_add(&next_element, 1) % SL_SECRETS;
	s = bpf_map_lookup_elem(&secrets, &index);
	if (!s || __sync_val_compare_and_swap(&s->is_taken, 0, 1)) {
		__sync_fetch_and_add(&lost_full, 1);
		return 0;
	}
	registers[cookie >> SL_COOKIE_LENGTH & 15] = len;
	if (!fill(s, registers, cookie, kind)) {
		__sync_fetch_and_add(&lost_memory, 1);
		s->is_taken = 0;
	} else if (bpf_ringbuf_output(&filled, &index, sizeof(index), 0)) {
		__sync_fetch_and_add(&lost_full, 1);
		__builtin_memset(s->value, 0, sizeof(s->value));
		s->is_taken = 0;
	}
	return 0;
}

/* The number of a new process in our PID namespace, at most the fourth; 0: it is not in there. */
static __always_inline __u32 number_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);

	if (BPF_CORE_READ(pid, numbers[0].ns, ns.inum) == ns_ino)
		return BPF_CORE_READ(pid, numbers[0].nr);
	if (level >= 1 && BPF_CORE_READ(pid, numbers[1].ns, ns.inum) == ns_ino)
		return BPF_CORE_READ(pid, numbers[1].nr);
	if (level >= 2 && BPF_CORE_READ(pid, numbers[2].ns, ns.inum) == ns_ino)
		return BPF_CORE_READ(pid, numbers[2].nr);
	if (level >= 3 && BPF_CORE_READ(pid, numbers[3].ns, ns.inum) == ns_ino)
		return BPF_CORE_READ(pid, numbers[3].nr);
	return 0;
}

/* child: NULL if the current process executes a program. */
static __always_inline void send_process(struct task_struct *child)
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
	send_process(NULL);
	return 0;
}

/* Also called for each thread, which is no process. */
SEC("raw_tracepoint/sched_process_fork")
int sl_process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];

	if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid))
		send_process(child);
	return 0;
}
