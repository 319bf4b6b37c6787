/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/probe.h"
#include "pod/privilege.h"
#include "ringbuf.skel.h"
#include "socket.skel.h"

/* The reader on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4
/* And how much of it may be of connections whose frames are not found yet. */
#define UNPLACED_SHARE 4

enum { LINK_INGRESS, LINK_EGRESS, LINK_SOCKOPS, LINK_MAX };

struct attached {
	uint64_t id; /* 0: free */
	struct bpf_link *link[LINK_MAX];
};

struct programs {
	struct socket_bpf *bpf;
	struct ring_layout ring;
	int cpu_count;
	struct attached attached[PROGRAMS_CGROUPS_MAX];
};

static void detach(struct attached *a)
{
	for (int i = 0; i < LINK_MAX; i++)
		(void)bpf_link__destroy(a->link[i]); /* closes the descriptor whatever it says */
	*a = (struct attached){0};
}

/* libbpf's own words only when somebody asks for them: ours are one line. */
static int print_debug(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	(void)level;
	(void)vsnprintf(line, sizeof(line), fmt, args); /* a longer line is cut */
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
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
}

static int load_object(struct programs *p, enum object object)
{
	struct socket_bpf *bpf = open_programs(
		object, libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
						BPF_FUNC_get_current_pid_tgid, NULL) == 1);
	bool is_sealed = object == OBJECT_SEALED;
	int err;

	if (!bpf)
		return -errno;
	/* Where the kernel's ring only wakes the reader, the least will do. */
	p->ring.wake_bytes = is_sealed ? (size_t)sysconf(_SC_PAGESIZE) : p->ring.bytes;
	p->ring.seal = 0;
	if (is_sealed &&
	    getrandom(&p->ring.seal, sizeof(p->ring.seal), 0) != sizeof(p->ring.seal)) {
		err = -errno;
		goto fail;
	}
	if (is_sealed)
		p->ring.seal |= 1ull << 63; /* a word that is not sealed must not look so */
	configure(p, bpf);
	err = socket_bpf__load(bpf);
	if (err)
		goto fail;
	p->bpf = bpf;
	p->ring.fds[RING_MAP_WAKE] = bpf_map__fd(bpf->maps.ringbuf);
	p->ring.fds[RING_MAP_SHARED] = bpf_map__fd(bpf->maps.data_shared);
	p->ring.fds[RING_MAP_BSS] = bpf_map__fd(bpf->maps.bss);
	p->ring.fds[RING_MAP_RECORDS] = bpf_map__fd(bpf->maps.records);
	return 0;
fail:
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

struct programs *programs_new(size_t ring_bytes)
{
	struct programs *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		goto fail;
	p->ring.bytes = ring_bytes;
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
	socket_bpf__destroy(p->bpf);
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
	err = bpf_map_update_elem(bpf_map__fd(p->bpf->maps.cgroups), &id, values, BPF_EXIST);
	free(values);
	return err ? -errno : 0;
}

int programs_attach(struct programs *p, int cgroup_fd, uint64_t id, uint64_t container)
{
	const struct bpf_program *const programs[LINK_MAX] = {
		[LINK_INGRESS] = p->bpf->progs.sl_ingress,
		[LINK_EGRESS] = p->bpf->progs.sl_egress,
		[LINK_SOCKOPS] = p->bpf->progs.sl_sockops,
	};
	struct attached *a = NULL;
	int err = 0;

	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX && !a; i++)
		if (p->attached[i].id == 0)
			a = &p->attached[i];
	if (!a)
		return -ENOSPC;
	a->id = id;
	for (int i = 0; i < LINK_MAX && !err; i++) {
		a->link[i] = bpf_program__attach_cgroup(programs[i], cgroup_fd);
		if (!a->link[i])
			err = -errno;
	}
	if (!err)
		err = start_cgroup(p, id, container);
	if (err)
		detach(a);
	return err;
}

void programs_detach(struct programs *p, uint64_t id)
{
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (p->attached[i].id == id)
			detach(&p->attached[i]);
}

int programs_counters(const struct programs *p, uint64_t id, uint64_t ret_counter[SL_C_MAX])
{
	struct sl_cgroup *values = calloc((size_t)p->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	err = bpf_map_lookup_elem(bpf_map__fd(p->bpf->maps.cgroups), &id, values);
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

int programs_answer(struct programs *p, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	int fd = bpf_map__fd(p->bpf->maps.verdicts);
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
	int fd = bpf_map__fd(p->bpf->maps.late_closes);
	int n = 0;

	while (n < max && bpf_map_lookup_and_delete_elem(fd, NULL, &ret_closes[n]) == 0)
		n++;
	return n > 0 || max == 0 || errno == ENOENT ? n : -errno;
}
