/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/hooks.h"
#include "capture/mapped.h"
#include "capture/probe.h"
#include "pod/memory_cgroup.h"
#include "pod/privilege.h"
#include "ringbuf.skel.h"
#include "socket.skel.h"

/* The reader on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4
/* And how much of it may be of connections whose frames are not found yet. */
#define UNPLACED_SHARE 4

/*
 * Of our memory limit, what the kernel may keep for connections; and what it takes for each. The
 * kernel gives up none for another, as the table of connections does: of idle ones, it keeps more.
 */
#define KERNEL_SHARE   4
#define KERNEL_OF_CONN 768
#define KERNEL_IDLE    4

enum { LINK_INGRESS, LINK_EGRESS, LINK_SOCKOPS, LINK_MAX };

struct attached {
	uint64_t id; /* 0: free */
	int link_fds[LINK_MAX]; /* -1: not attached */
};

/* Maps that the programs and we use, beside those of the ring. */
enum { MAP_CGROUPS, MAP_VERDICTS, MAP_LATE_CLOSES, MAP_SOCKS, MAP_MUTED, MAP_MAX };

#define OBJECT_MAPS_MAX 32

struct programs {
	int program_fds[LINK_MAX];
	int map_fds[MAP_MAX];
	int object_fds[OBJECT_MAPS_MAX]; /* all maps: arrays of programs are emptied without one */
	struct ring_layout ring;
	struct socket_bpf__data_count *count; /* mapped: shared with the programs */
	uint64_t storages_max;
	int cpu_count;
	struct attached attached[PROGRAMS_CGROUPS_MAX];
};

static void close_fds(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]); /* nothing is buffered behind any of them */
		fds[i] = -1;
	}
}

static void detach(struct attached *a)
{
	close_fds(a->link_fds, LINK_MAX);
	a->id = 0;
}

/* libbpf's own words only when somebody asks for them: ours are one line. */
static int print_debug(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	(void)vsnprintf(line, sizeof(line), fmt, args); /* a longer line is cut */
	line[strcspn(line, "\n")] = '\0';
	/* Its debug lines are each relocation of each program. */
	log_line(level == LIBBPF_DEBUG ? LOG_LEVEL_TRACE : LOG_LEVEL_DEBUG, "libbpf: %s", line);
	return 0;
}

/* Objects of one source: what has a name in one has it in both. See bpf/ring.bpf.h. */
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
 * No receive window is larger (tcp_select_initial_window(), tcp_rcv_space_adjust()): an application
 * may ask for twice rmem_max. At least what newer kernels grant by default, for whoever is watched
 * in another network namespace.
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

/* Before it is loaded; these cannot fail then. */
static void configure(struct programs *p, struct socket_bpf *bpf)
{
	const struct ring_layout *ring = &p->ring;

	(void)bpf_map__set_max_entries(bpf->maps.ringbuf, (__u32)ring->wake_bytes);
	(void)bpf_map__set_value_size(bpf->maps.records,
				      ring->seal ? (__u32)ring->bytes + SL_RECORD_MAX
						 : (__u32)sizeof(uint64_t));
	bpf->rodata->ring_bytes = ring->bytes;
	bpf->rodata->ring_mask = ring->bytes - 8;
	bpf->rodata->ring_seal = ring->seal;
	bpf->data_shared->shared.wake_bytes = (__u32)(ring->bytes / WAKE_SHARE);
	bpf->bss->unplaced_max = (__u32)(ring->bytes / UNPLACED_SHARE);
	bpf->rodata->storages_max = p->storages_max;
	bpf->rodata->window_max = window_max();
}

/* A descriptor that outlives libbpf's object. Returns 0 or negative errno. */
static int keep_fd(int fd, int *ret_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	*ret_fd = copy;
	return 0;
}

/* All that is needed of a loaded object. */
static int keep_fds(struct programs *p, const struct socket_bpf *bpf)
{
	const struct {
		int from;
		int *to;
	} fds[] = {
		{bpf_program__fd(bpf->progs.sl_ingress), &p->program_fds[LINK_INGRESS]},
		{bpf_program__fd(bpf->progs.sl_egress), &p->program_fds[LINK_EGRESS]},
		{bpf_program__fd(bpf->progs.sl_sockops), &p->program_fds[LINK_SOCKOPS]},
		{bpf_map__fd(bpf->maps.cgroups), &p->map_fds[MAP_CGROUPS]},
		{bpf_map__fd(bpf->maps.verdicts), &p->map_fds[MAP_VERDICTS]},
		{bpf_map__fd(bpf->maps.late_closes), &p->map_fds[MAP_LATE_CLOSES]},
		{bpf_map__fd(bpf->maps.socks), &p->map_fds[MAP_SOCKS]},
		{bpf_map__fd(bpf->maps.muted), &p->map_fds[MAP_MUTED]},
		{bpf_map__fd(bpf->maps.ringbuf), &p->ring.fds[RING_MAP_WAKE]},
		{bpf_map__fd(bpf->maps.data_shared), &p->ring.fds[RING_MAP_SHARED]},
		{bpf_map__fd(bpf->maps.bss), &p->ring.fds[RING_MAP_BSS]},
		{bpf_map__fd(bpf->maps.records), &p->ring.fds[RING_MAP_RECORDS]},
	};
	struct bpf_map *map;
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(fds) / sizeof(fds[0]); i++)
		err = keep_fd(fds[i].from, fds[i].to);
	for (map = NULL; !err && (map = bpf_object__next_map(bpf->obj, map)); n++)
		err = n < OBJECT_MAPS_MAX ? keep_fd(bpf_map__fd(map), &p->object_fds[n]) : -E2BIG;
	return err;
}

/* libbpf's object holds as much memory as all the rest: it goes as soon as it is loaded. */
static int load_object(struct programs *p, enum object object)
{
	struct socket_bpf *bpf = open_programs(
		object, libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
						BPF_FUNC_get_current_pid_tgid, NULL) == 1);
	bool is_sealed = object == OBJECT_SEALED;
	int err = 0;

	if (!bpf)
		return -errno;
	/* Where the kernel's ring only wakes the reader, the least will do. */
	p->ring.wake_bytes = is_sealed ? (size_t)sysconf(_SC_PAGESIZE) : p->ring.bytes;
	p->ring.seal = 0;
	if (is_sealed && getrandom(&p->ring.seal, sizeof(p->ring.seal), 0) != sizeof(p->ring.seal))
		err = -errno;
	if (is_sealed)
		p->ring.seal |= 1ull << 63; /* a word that is not sealed must not look so */
	configure(p, bpf);
	if (!err)
		err = socket_bpf__load(bpf);
	if (!err)
		err = keep_fds(p, bpf);
	if (!err) {
		p->count = mapped_section(bpf_map__fd(bpf->maps.data_count), sizeof(*p->count));
		err = p->count ? 0 : -errno;
	}
	socket_bpf__destroy(bpf);
	return err;
}

static int load(struct programs *p)
{
	int err;

	/* Some kernels would load them all the same. One rule for all: what `doctor` says. */
	if (!privilege_has(CAP_PERFMON))
		return -EPERM;
	if (!probe_has_atomics())
		return load_object(p, OBJECT_RINGBUF);
	err = load_object(p, OBJECT_SEALED);
	/* Some kernels take no array of more than 4 MiB (KMALLOC_MAX_SIZE). */
	return err == -E2BIG ? load_object(p, OBJECT_RINGBUF) : err;
}

static void init_fds(struct programs *p)
{
	memset(p->program_fds, -1, sizeof(p->program_fds));
	memset(p->map_fds, -1, sizeof(p->map_fds));
	memset(p->object_fds, -1, sizeof(p->object_fds));
	memset(p->ring.fds, -1, sizeof(p->ring.fds));
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		memset(p->attached[i].link_fds, -1, sizeof(p->attached[i].link_fds));
}

/* Connections of which the kernel half may keep something. */
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
	init_fds(p);
	p->ring.bytes = ring_bytes;
	p->storages_max = storages_max(conn_cap);
	p->cpu_count = libbpf_num_possible_cpus();
	libbpf_set_print(print_debug);
	err = load(p);
	if (!err)
		return p;
fail:
	/* The probes name what is missing, if it is one of the usual things. */
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
	close_fds(p->program_fds, LINK_MAX);
	close_fds(p->map_fds, MAP_MAX);
	close_fds(p->object_fds, OBJECT_MAPS_MAX);
	close_fds(p->ring.fds, RING_MAPS);
	free(p);
}

const struct ring_layout *programs_ring(const struct programs *p)
{
	return &p->ring;
}

/* The value that the programs of this cgroup find, made by the first attachment: they begin. */
static int start_cgroup(struct programs *p, uint64_t id, uint64_t container)
{
	struct sl_cgroup *values = calloc((size_t)p->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	for (int i = 0; i < p->cpu_count; i++)
		values[i] = (struct sl_cgroup){.container = container, .is_attached = true};
	err = bpf_map_update_elem(p->map_fds[MAP_CGROUPS], &id, values, BPF_EXIST);
	free(values);
	return err ? -errno : 0;
}

static int attach(struct programs *p, struct attached *a, int cgroup_fd)
{
	static const enum bpf_attach_type types[LINK_MAX] = {
		[LINK_INGRESS] = BPF_CGROUP_INET_INGRESS,
		[LINK_EGRESS] = BPF_CGROUP_INET_EGRESS,
		[LINK_SOCKOPS] = BPF_CGROUP_SOCK_OPS,
	};
	struct hooks_effective before;
	struct hook_holder holder;

	if (hooks_find_holder(cgroup_fd, false, &holder))
		return -EBUSY;
	hooks_read_effective(cgroup_fd, &before);
	for (int i = 0; i < LINK_MAX; i++) {
		a->link_fds[i] = bpf_link_create(p->program_fds[i], cgroup_fd, types[i], NULL);
		if (a->link_fds[i] < 0)
			return -errno;
	}
	/* By a cgroup that the mount does not show: it was without its program for some
	 * microseconds. */
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

/* What the sockets of a cgroup hold when nobody tells of their end any more: gone from the count.
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
	err = bpf_map_lookup_elem(p->map_fds[MAP_CGROUPS], &id, values);
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

bool programs_is_full(const struct programs *p)
{
	/* Signed, as in make_state(): it may be a little too low. */
	return (int64_t)p->count->storages >= (int64_t)p->storages_max;
}

void programs_storages(const struct programs *p, int ret_fds[PROGRAMS_STORAGES])
{
	ret_fds[0] = p->map_fds[MAP_SOCKS];
	ret_fds[1] = p->map_fds[MAP_MUTED];
}

int programs_answer(struct programs *p, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	int fd = p->map_fds[MAP_VERDICTS];
	struct sl_verdict v = {0};
	struct timespec now;

	/* None yet, or one that was pushed out: then this is the first. */
	(void)bpf_map_lookup_elem(fd, &conn_id, &v);
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	v.time_ns[dir] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	v.seq[dir] = seq;
	v.is_http2 = true;
	if (bpf_map_update_elem(fd, &conn_id, &v, BPF_ANY))
		return -errno;
	return 0;
}

int programs_take_closes(struct programs *p, struct sl_close *ret_closes, int max)
{
	int fd = p->map_fds[MAP_LATE_CLOSES];
	int n = 0;

	while (n < max && bpf_map_lookup_and_delete_elem(fd, NULL, &ret_closes[n]) == 0)
		n++;
	return n > 0 || max == 0 || errno == ENOENT ? n : -errno;
}
