/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/hooks.h"
#include "capture/loaded.h"
#include "capture/mapped.h"
#include "capture/probe.h"
#include "pod/memory_cgroup.h"
#include "socket.skel.h"

/* The share of our memory limit for kernel state of connections, and the size of one state. */
#define KERNEL_SHARE   4
#define KERNEL_OF_CONN 768
/*
 * The table of connections evicts idle ones; the kernel cannot. So the kernel may hold the states
 * of four times as many.
 */
#define KERNEL_IDLE 4

struct attached {
	uint64_t id; /* 0: free */
	int link_fds[LOADED_PROGRAMS]; /* -1: not attached */
};

struct programs {
	struct loaded loaded;
	struct socket_bpf__data_count *count; /* mapped: shared with the programs */
	int cpu_count;
	struct attached attached[PROGRAMS_CGROUPS_MAX];
};

static void detach(struct attached *a)
{
	for (size_t i = 0; i < LOADED_PROGRAMS; i++) {
		if (a->link_fds[i] >= 0)
			(void)close(a->link_fds[i]); /* nothing is buffered behind it */
		a->link_fds[i] = -1;
	}
	a->id = 0;
}

/* The number of connections for which the kernel may store state. */
static uint64_t storages_max(uint64_t conn_cap)
{
	uint64_t most = conn_cap * KERNEL_IDLE;
	uint64_t limit = memory_cgroup_limit("");
	uint64_t share = limit / KERNEL_SHARE / KERNEL_OF_CONN;

	return limit && share < most ? share : most;
}

struct programs *programs_new(size_t ring_bytes, uint64_t conn_cap)
{
	struct programs *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		goto fail;
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		memset(p->attached[i].link_fds, -1, sizeof(p->attached[i].link_fds));
	p->cpu_count = libbpf_num_possible_cpus();
	err = loaded_new(&p->loaded, ring_bytes, storages_max(conn_cap));
	if (!err)
		p->count = mapped_section(p->loaded.map_fds[LOADED_DATA_COUNT], sizeof(*p->count));
	if (!err && !p->count)
		err = -errno;
	if (!err)
		return p;
fail:
	/* The checks of probe.h name the usual reasons. */
	if (probe_require(ring_bytes) == 0)
		log_error("capture: the kernel does not load our programs (%s); "
			  "run with --log-level debug to see what it says",
			  strerror(-err));
	programs_free(p);
	return NULL;
}

void programs_free(struct programs *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		detach(&p->attached[i]);
	mapped_section_close(p->count, sizeof(*p->count));
	loaded_release(&p->loaded);
	free(p);
}

const struct ring_layout *programs_ring(const struct programs *p)
{
	return &p->loaded.ring;
}

int programs_share_maps(const struct programs *p, struct bpf_object *object)
{
	return shared_maps_reuse(&p->loaded.maps, object);
}

/*
 * Sets the cgroup's map value, which the kernel created with the first attachment. From now on the
 * programs follow connections.
 */
static int start_cgroup(struct programs *p, uint64_t id, uint64_t container)
{
	struct sl_cgroup *values = calloc((size_t)p->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	for (int i = 0; i < p->cpu_count; i++)
		values[i] = (struct sl_cgroup){.container = container, .is_attached = true};
	err = bpf_map_update_elem(p->loaded.map_fds[LOADED_CGROUPS], &id, values, BPF_EXIST);
	free(values);
	return err ? -errno : 0;
}

static int attach(struct programs *p, struct attached *a, int cgroup_fd)
{
	static const enum bpf_attach_type types[LOADED_PROGRAMS] = {
		[LOADED_INGRESS] = BPF_CGROUP_INET_INGRESS,
		[LOADED_EGRESS] = BPF_CGROUP_INET_EGRESS,
		[LOADED_SOCKOPS] = BPF_CGROUP_SOCK_OPS,
	};
	struct hooks_effective before;
	struct hook_holder holder;

	if (hooks_find_holder(cgroup_fd, false, &holder))
		return -EBUSY;
	hooks_read_effective(cgroup_fd, &before);
	for (int i = 0; i < LOADED_PROGRAMS; i++) {
		a->link_fds[i] =
			bpf_link_create(p->loaded.program_fds[i], cgroup_fd, types[i], NULL);
		if (a->link_fds[i] < 0)
			return -errno;
	}
	/*
	 * Ours replaced a program of a cgroup above the visible mount, which did not run for some
	 * microseconds: the caller detaches.
	 */
	return hooks_has_displaced(cgroup_fd, &before) ? -EBUSY : 0;
}

int programs_attach(struct programs *p, int cgroup_fd, uint64_t id, uint64_t container)
{
	struct attached *a = NULL;
	int err;

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX && !a; i++)
		if (p->attached[i].id == 0)
			a = &p->attached[i];
	if (!a)
		return -ENOSPC;
	a->id = id;
	err = attach(p, a, cgroup_fd);
	if (!err)
		err = start_cgroup(p, id, container);
	if (err)
		detach(a);
	return err;
}

/*
 * Subtracts the sockets of a detached cgroup, whose ends are not reported any more, from the count.
 */
static void forget_storages(struct programs *p, uint64_t id)
{
	uint64_t counter[SL_C_MAX] = {0};

	if (programs_counters(p, id, counter) == 0)
		__sync_fetch_and_sub(&p->count->storages,
				     counter[SL_C_FOLLOWED] - counter[SL_C_RELEASED]);
}

void programs_detach(struct programs *p, uint64_t id)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (p->attached[i].id == id) {
			forget_storages(p, id);
			detach(&p->attached[i]);
		}
}

int programs_counters(const struct programs *p, uint64_t id, uint64_t ret_counter[SL_C_MAX])
{
	struct sl_cgroup *values = calloc((size_t)p->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	err = bpf_map_lookup_elem(p->loaded.map_fds[LOADED_CGROUPS], &id, values);
	if (err) {
		free(values);
		return -errno;
	}
	memset(ret_counter, 0, SL_C_MAX * sizeof(*ret_counter));
	for (int i = 0; i < p->cpu_count; i++)
		for (int c = 0; c < SL_C_MAX; c++)
			ret_counter[c] += values[i].counter[c];
	free(values);
	return 0;
}

void programs_read_tls(struct programs *p)
{
	p->count->reads_tls = 1;
}

bool programs_is_full(const struct programs *p)
{
	/* Signed, as in create_state(): the count may be slightly too low. */
	return (int64_t)p->count->storages >= (int64_t)p->loaded.storages_max;
}

void programs_storages(const struct programs *p, int ret_fds[PROGRAMS_STORAGES])
{
	ret_fds[0] = p->loaded.map_fds[LOADED_SOCKS];
	ret_fds[1] = p->loaded.map_fds[LOADED_MUTED];
}

int programs_answer(struct programs *p, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	int fd = p->loaded.map_fds[LOADED_VERDICTS];
	struct sl_verdict v = {0};
	struct timespec now;

	/* There is no answer yet, or it was evicted: then this is the first one. */
	(void)bpf_map_lookup_elem(fd, &conn_id, &v);
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	v.time_ns[dir] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	v.seq[dir] = seq;
	v.is_http2 = true;
	if (bpf_map_update_elem(fd, &conn_id, &v, BPF_ANY))
		return -errno;
	return 0;
}

int programs_mute(struct programs *p, uint64_t conn_id, enum sl_mute why)
{
	int fd = p->loaded.map_fds[LOADED_VERDICTS];
	struct sl_verdict v = {0};

	(void)bpf_map_lookup_elem(fd, &conn_id, &v); /* there may be none */
	v.mute = (uint8_t)why;
	return bpf_map_update_elem(fd, &conn_id, &v, BPF_ANY) ? -errno : 0;
}

int programs_take_closes(struct programs *p, struct sl_close *ret_closes, int max)
{
	int fd = p->loaded.map_fds[LOADED_LATE_CLOSES];
	int n = 0;

	while (n < max && bpf_map_lookup_and_delete_elem(fd, NULL, &ret_closes[n]) == 0)
		n++;
	return n > 0 || max == 0 || errno == ENOENT ? n : -errno;
}
