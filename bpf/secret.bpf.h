/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Copies one secret of a TLS handshake: what the uprobes of both kinds have in common, and the
 * maps, which their objects share.
 */
#ifndef SIDELIGHT_BPF_SECRET_BPF_H
#define SIDELIGHT_BPF_SECRET_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "registers.bpf.h"

/*
 * Secrets that user space does not get: there is no free element; the process's memory cannot be
 * read. In a section of its own, since the worker maps it (sidecar/capture/secret_ring.h).
 */
struct {
	__u64 full;
	__u64 memory;
} lost SEC(".data.lost") = {};

/* One variable, so that both objects have the same .bss. */
struct {
	__u32 next_element;
	__u32 watched_end; /* behind the last element of `watched` that is set */
} counters;

/* Shared with user space (sidecar/capture/secret_ring.h), as the next one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SL_SECRETS);
	__type(key, __u32);
	__type(value, struct sl_secret);
} secrets SEC(".maps");

/* Indices of elements that are filled. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SL_SECRETS_RING_BYTES);
} filled SEC(".maps");

/* Cgroups that are watched, with all below them: for programs that do not sleep. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, SL_WATCHED_MAX);
	__type(key, __u32);
	__type(value, __u32);
} watched SEC(".maps");

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

/* may_sleep: a page that is not in memory is brought in. Returns whether it was read. */
static __always_inline bool read_user(void *ret, __u32 len, const void *from, bool may_sleep)
{
	return (may_sleep ? bpf_copy_from_user(ret, len, from)
			  : bpf_probe_read_user(ret, len, from)) == 0;
}

/* The string may end at the end of what is mapped, or its page may not be in memory. */
static __always_inline bool read_label(__u64 ret_words[4], __u64 from, bool may_sleep)
{
	return (may_sleep && read_user(ret_words, 32, (void *)from, true)) ||
	       bpf_probe_read_user_str(ret_words, 32, (void *)from) > 0;
}

static __always_inline bool fill(struct sl_secret *s, const __u64 registers[16], __u64 cookie,
				 __u32 kind, bool may_sleep)
{
	void *value = (void *)registers[cookie >> SL_COOKIE_SECRET & 15];
	void *random = (void *)registers[cookie >> SL_COOKIE_RANDOM & 15];
	__u64 len = registers[cookie >> SL_COOKIE_LENGTH & 15];

	s->kind = kind;
	s->len = len == 32 ? 32 : 48;
	s->has_random = cookie & SL_COOKIE_HAS_RANDOM ? 1 : 0;
	s->session =
		cookie & SL_COOKIE_HAS_SESSION ? registers[cookie >> SL_COOKIE_SESSION & 15] : 0;
	s->time_ns = bpf_ktime_get_ns();
	s->tgid = bpf_get_current_pid_tgid() >> 32;
	if (s->has_random && !read_user(s->client_random, 32, random, may_sleep))
		return false;
	if (len == 32)
		return read_user(s->value, 32, value, may_sleep);
	return read_user(s->value, 48, value, may_sleep);
}

/* Is the current process in a watched cgroup? Not for programs that may sleep. */
static __always_inline bool is_watched(void)
{
	for (__u32 i = 0; i < SL_WATCHED_MAX && i < counters.watched_end; i++)
		if (bpf_current_task_under_cgroup(&watched, i) == 1)
			return true;
	return false;
}

/* Which secret the registers say; SL_SECRET_KINDS: none that is copied. */
static __always_inline __u32 read_kind(__u64 registers[16], __u64 cookie, bool may_sleep)
{
	__u64 *len = &registers[cookie >> SL_COOKIE_LENGTH & 15];
	__u64 label[4] = {};

	if (!read_label(label, registers[cookie >> SL_COOKIE_LABEL & 15], may_sleep)) {
		__sync_fetch_and_add(&lost.memory, 1);
		return SL_SECRET_KINDS;
	}
	*len &= 0xffffffff;
	return *len == 32 || *len == 48 ? kind_of(label) : SL_SECRET_KINDS;
}

/* User space is woken by the first of many secrets, and by each once half of the elements are. */
static __always_inline __u64 wake_flags(void)
{
	return bpf_ringbuf_query(&filled, BPF_RB_AVAIL_DATA) >= SL_SECRETS_MANY_BYTES
		       ? BPF_RB_FORCE_WAKEUP
		       : 0;
}

/* Fills the element, which is the caller's, and hands it to user space, or gives it back. */
static __always_inline void hand_over(struct sl_secret *s, __u32 index, const __u64 registers[16],
				      __u64 cookie, __u32 kind, bool may_sleep)
{
	if (!fill(s, registers, cookie, kind, may_sleep))
		__sync_fetch_and_add(&lost.memory, 1);
	else if (bpf_ringbuf_output(&filled, &index, sizeof(index), wake_flags()))
		__sync_fetch_and_add(&lost.full, 1);
	else
		return;
	__builtin_memset(s->value, 0, sizeof(s->value));
	s->is_taken = 0;
}

#endif
