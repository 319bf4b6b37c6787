/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Histograms of the times of connections, in the counters of their cgroup: see SL_C_TIME().
 */
#ifndef SIDELIGHT_CONN_TIMES_BPF_H
#define SIDELIGHT_CONN_TIMES_BPF_H

#include "state.bpf.h"

#define LIFE_BOUND(ms) ((__u32)((__u64)(ms)*1000 * 1000 >> SL_TIME_SHIFT))

/* A global function, see README.md: only its own paths are verified, once. */
__noinline __u32 count_handshake(__u32 role, __u32 us)
{
	static const __u32 bounds[SL_TIME_BOUNDS] = SL_HANDSHAKE_BOUNDS_US;
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);
	__u64 *counter =
		&cg->counter[role == SL_ROLE_CLIENT ? SL_C_TIME(SL_TIME_HANDSHAKE, SL_ROLE_CLIENT)
						    : SL_C_TIME(SL_TIME_HANDSHAKE, SL_ROLE_SERVER)];
	__u32 bucket = 0;

#pragma unroll
	for (int i = 0; i < SL_TIME_BOUNDS; i++) {
		if (us <= bounds[i])
			break;
		bucket = i + 1;
	}
	__sync_fetch_and_add(&counter[bucket], 1);
	__sync_fetch_and_add(&counter[SL_TIME_BOUNDS + 1], us);
	return 0;
}

/* Likewise; units of SL_TIME_UNIT_NS. */
__noinline __u32 count_life(__u32 role, __u32 units)
{
	static const __u32 bounds_ms[SL_TIME_BOUNDS] = SL_LIFE_BOUNDS_MS;
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);
	__u64 *counter =
		&cg->counter[role == SL_ROLE_CLIENT ? SL_C_TIME(SL_TIME_LIFE, SL_ROLE_CLIENT)
						    : SL_C_TIME(SL_TIME_LIFE, SL_ROLE_SERVER)];
	__u32 bucket = 0;

#pragma unroll
	for (int i = 0; i < SL_TIME_BOUNDS; i++) {
		if (units <= LIFE_BOUND(bounds_ms[i]))
			break;
		bucket = i + 1;
	}
	__sync_fetch_and_add(&counter[bucket], 1);
	__sync_fetch_and_add(&counter[SL_TIME_BOUNDS + 1], units);
	return 0;
}

#endif
