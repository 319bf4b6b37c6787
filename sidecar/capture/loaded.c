/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/loaded.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/libbpf_log.h"
#include "capture/probe.h"
#include "pod/pid_namespace.h"
#include "pod/privilege.h"
#include "ringbuf.skel.h"
#include "socket.skel.h"

/* A reader that drains on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4
/* The share of the ring for connections whose frame starts are not known yet. */
#define UNSYNCED_SHARE 4

/* Both variants are compiled from one source, so a name is in both. See bpf/ring.bpf.h. */
enum object { OBJECT_SEALED, OBJECT_RINGBUF };

static struct socket_bpf *open_programs(enum object object, bool has_current_pid)
{
	struct socket_bpf *bpf = calloc(1, sizeof(*bpf));
	int err;

	if (!bpf)
		return NULL;
	err = socket_bpf__create_skeleton(bpf);
	if (err)
		goto fail;
	if (object == OBJECT_RINGBUF)
		bpf->skeleton->data = (void *)ringbuf_bpf__elf_bytes(&bpf->skeleton->data_sz);
	err = bpf_object__open_skeleton(bpf->skeleton, NULL);
	if (err)
		goto fail;
	bpf->rodata->has_current_pid = has_current_pid;
	return bpf;
fail:
	socket_bpf__destroy(bpf);
	errno = -err;
	return NULL;
}

/*
 * The maximum receive window (tcp_select_initial_window(), tcp_rcv_space_adjust()): an application
 * may request twice rmem_max. At least the default of newer kernels, for a target in another
 * network namespace.
 */
static uint32_t window_max(void)
{
	scoped_file FILE *tcp = fopen("/proc/sys/net/ipv4/tcp_rmem", "re");
	scoped_file FILE *core = fopen("/proc/sys/net/core/rmem_max", "re");
	unsigned long long most = 6u << 20;
	unsigned long long n;

	if (tcp && fscanf(tcp, "%*u %*u %llu", &n) == 1 && n > most)
		most = n;
	if (core && fscanf(core, "%llu", &n) == 1 && 2 * n > most)
		most = 2 * n;
	return most < 1u << 30 ? (uint32_t)most : 1u << 30; /* RFC 7323 section 2.3 */
}

/* Sets the variables before loading; these calls can't fail then. */
static void configure(const struct loaded *l, struct socket_bpf *bpf)
{
	const struct ring_layout *ring = &l->ring;
	struct pid_namespace ns;

	(void)bpf_map__set_max_entries(bpf->maps.ringbuf, (__u32)ring->wake_bytes);
	(void)bpf_map__set_value_size(bpf->maps.records,
				      ring->seal ? (__u32)ring->bytes + SL_RECORD_MAX
						 : (__u32)sizeof(uint64_t));
	bpf->rodata->ring_bytes = ring->bytes;
	bpf->rodata->ring_mask = ring->bytes - 8;
	bpf->rodata->ring_seal = ring->seal;
	bpf->data_shared->shared.wake_bytes = (__u32)(ring->bytes / WAKE_SHARE);
	bpf->bss->unsynced_max = (__u32)(ring->bytes / UNSYNCED_SHARE);
	bpf->rodata->storages_max = l->storages_max;
	/* Without /proc, threads have no numbers: there is none to compare with. */
	if (pid_namespace_read(&ns))
		bpf->rodata->has_current_pid = false;
	else if (!ns.is_initial) {
		bpf->rodata->pid_ns_dev = ns.dev;
		bpf->rodata->pid_ns_ino = ns.ino;
	}
	bpf->rodata->window_max = window_max();
}

/* Duplicates a descriptor, so that it outlives libbpf's object. Returns 0 or negative errno. */
static int keep_fd(int fd, int *ret_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	*ret_fd = copy;
	return 0;
}

/*
 * Takes the descriptors of a loaded object: all maps (the kernel empties arrays of programs without
 * a descriptor), and the programs that are attached.
 */
static int keep_fds(struct loaded *l, const struct socket_bpf *bpf)
{
	const struct {
		const struct bpf_map *from;
		int *to;
	} maps[] = {
		{bpf->maps.cgroups, &l->map_fds[LOADED_CGROUPS]},
		{bpf->maps.verdicts, &l->map_fds[LOADED_VERDICTS]},
		{bpf->maps.late_closes, &l->map_fds[LOADED_LATE_CLOSES]},
		{bpf->maps.socks, &l->map_fds[LOADED_SOCKS]},
		{bpf->maps.muted, &l->map_fds[LOADED_MUTED]},
		{bpf->maps.data_count, &l->map_fds[LOADED_DATA_COUNT]},
		{bpf->maps.ringbuf, &l->ring.fds[RING_MAP_WAKE]},
		{bpf->maps.data_shared, &l->ring.fds[RING_MAP_SHARED]},
		{bpf->maps.bss, &l->ring.fds[RING_MAP_BSS]},
		{bpf->maps.records, &l->ring.fds[RING_MAP_RECORDS]},
	};
	const struct bpf_program *programs[LOADED_PROGRAMS] = {
		[LOADED_INGRESS] = bpf->progs.sl_ingress,
		[LOADED_EGRESS] = bpf->progs.sl_egress,
		[LOADED_SOCKOPS] = bpf->progs.sl_sockops,
	};
	int err = shared_maps_keep(&l->maps, bpf->obj);

	for (size_t i = 0; !err && i < sizeof(maps) / sizeof(maps[0]); i++)
		*maps[i].to = shared_maps_fd(&l->maps, bpf_map__name(maps[i].from));
	for (size_t i = 0; !err && i < LOADED_PROGRAMS; i++)
		err = keep_fd(bpf_program__fd(programs[i]), &l->program_fds[i]);
	return err;
}

/* libbpf's object takes as much memory as everything else: it is closed right after loading. */
static int load_object(struct loaded *l, enum object object)
{
	struct socket_bpf *bpf = open_programs(
		object, libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
						BPF_FUNC_get_current_pid_tgid, NULL) == 1);
	bool is_sealed = object == OBJECT_SEALED;
	int err = 0;

	if (!bpf)
		return -errno;
	/* A BPF ring buffer that only wakes the reader has the minimum size. */
	l->ring.wake_bytes = is_sealed ? (size_t)sysconf(_SC_PAGESIZE) : l->ring.bytes;
	l->ring.seal = 0;
	if (is_sealed && getrandom(&l->ring.seal, sizeof(l->ring.seal), 0) != sizeof(l->ring.seal))
		err = -errno;
	if (is_sealed)
		l->ring.seal |= 1ull << 63; /* an unsealed word must not look sealed */
	configure(l, bpf);
	if (!err)
		err = socket_bpf__load(bpf);
	if (!err)
		err = keep_fds(l, bpf);
	socket_bpf__destroy(bpf);
	return err;
}

int loaded_new(struct loaded *l, size_t ring_bytes, uint64_t storages_max)
{
	int err;

	*l = (struct loaded){.ring.bytes = ring_bytes, .storages_max = storages_max};
	memset(l->program_fds, -1, sizeof(l->program_fds));
	memset(l->map_fds, -1, sizeof(l->map_fds));
	memset(l->ring.fds, -1, sizeof(l->ring.fds));
	libbpf_log_start();
	/*
	 * Some kernels load the programs without CAP_PERFMON. It is required all the same, so that
	 * `run` and `doctor` agree.
	 */
	if (!privilege_has(CAP_PERFMON))
		return -EPERM;
	if (!probe_has_atomics())
		return load_object(l, OBJECT_RINGBUF);
	err = load_object(l, OBJECT_SEALED);
	/* Some kernels accept no array over 4 MiB (KMALLOC_MAX_SIZE). */
	return err == -E2BIG ? load_object(l, OBJECT_RINGBUF) : err;
}

void loaded_release(struct loaded *l)
{
	for (size_t i = 0; i < LOADED_PROGRAMS; i++)
		if (l->program_fds[i] >= 0)
			(void)close(l->program_fds[i]); /* nothing is buffered behind it */
	shared_maps_close(&l->maps);
}
