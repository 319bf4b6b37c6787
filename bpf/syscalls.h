/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the programs that count system calls (syscalls.bpf.c) and user space
 * (capture/syscalls.h): keys and values of their maps.
 *
 * A call is named by its position in the list of capture/syscall_list.c, which differs between
 * architectures. All integers are in host byte order.
 */
#ifndef SIDELIGHT_BPF_SYSCALLS_H
#define SIDELIGHT_BPF_SYSCALLS_H

#include <stddef.h>

#include <linux/types.h>

#define SL_CALLS_MAX	    48 /* calls that are counted */
#define SL_CALL_NUMBERS	    512 /* system call numbers that are looked up: above all that exist */
#define SL_CALL_TARGETS_MAX 64 /* cgroups */
#define SL_CALL_COMM_SIZE   16 /* of a name of a thread, terminating zero included */

/* The element of `numbers` for a system call number. 0: it is not counted. */
enum {
	SL_CALL_POSITION = 0x3f, /* mask: 1 + position of the call */
	SL_CALL_ON_FIRST = 0x40, /* counted if the first argument is a socket */
	SL_CALL_ON_THIRD = 0x80, /* counted if the third argument is one */
	SL_CALL_BYTES = 0x100, /* returns bytes */
	SL_CALL_MESSAGES = 0x200, /* returns a number of struct mmsghdr, which have the bytes */
	SL_CALL_EXEC = 0x400, /* starts the counting of a command; not counted itself */
	SL_CALL_32BIT = 0x800, /* a network call of 32-bit programs; not counted for others */
	SL_CALL_READS = 0x1000, /* reads from the first argument */
};

/* Identifies a call of a thread. A tid is used again; together with the start it is unique. */
struct sl_call_key {
	__u64 thread_started_ns;
	__u32 tid; /* of the first PID namespace */
	__u32 call;
};

_Static_assert(sizeof(struct sl_call_key) == 16, "no implicit padding");

/*
 * Durations: bucket 0 is below 128 ns; then each power of two has four buckets, up to 137 s. What
 * takes longer is in the last one.
 */
#define SL_CALL_FIRST_BITS 7
#define SL_CALL_LAST_BITS  37
#define SL_CALL_SUB_BITS   2
#define SL_CALL_BUCKETS	   (1 + ((SL_CALL_LAST_BITS - SL_CALL_FIRST_BITS) << SL_CALL_SUB_BITS))

struct sl_call_row {
	__u64 count; /* calls that have returned */
	__u64 errors;
	__u64 bytes;
	__u64 time_ns;
	__u64 max_ns;
	__u64 blocked; /* calls in which the thread slept */
	__u64 blocked_ns; /* time of these calls */
	__u64 named_ns; /* when the names were read */
	__u64 process_started_ns;
	__u32 process; /* of the first PID namespace */
	__u32 shown_process; /* as the reader's PID namespace numbers it; 0: it is not in there */
	__u32 shown_thread; /* likewise */
	__u32 target; /* number of the cgroup, as user space gave it */
	char process_name[SL_CALL_COMM_SIZE];
	char thread_name[SL_CALL_COMM_SIZE];
	__u32 pad;
	__u32 bucket[SL_CALL_BUCKETS];
};

_Static_assert(sizeof(struct sl_call_row) ==
		       offsetof(struct sl_call_row, bucket) + 4 * SL_CALL_BUCKETS,
	       "no padding behind the buckets");
_Static_assert(offsetof(struct sl_call_row, bucket) % 8 == 4 && SL_CALL_BUCKETS % 2 == 1,
	       "nor before them");

/* A call that has not returned; by tid. */
struct sl_open_call {
	__u64 thread_started_ns;
	__u64 entered_ns;
	__u64 sleeps; /* of the thread so far */
	__u64 messages; /* user's address of struct mmsghdr[] */
	__u32 call; /* element of `numbers` */
	__u32 target;
	__u32 fd; /* with SL_CALL_READS */
	__u32 pad;
};

_Static_assert(sizeof(struct sl_open_call) == 48, "no implicit padding");

struct sl_call_error {
	struct sl_call_key key;
	__u32 error; /* errno; 512 and above: numbers of the kernel for interrupted calls */
	__u32 pad;
};

_Static_assert(sizeof(struct sl_call_error) == 24, "no implicit padding");

/* What is known of a cgroup. */
struct sl_call_cgroup {
	__u32 generation; /* of the targets, when it was looked at */
	__u32 target; /* 0: it is below none of them */
};

#endif
