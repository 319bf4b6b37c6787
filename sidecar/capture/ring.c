/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/probe.h"
#include "capture/record.h"
#include "socket.skel.h"

/* The reader on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4

enum { LINK_INGRESS, LINK_EGRESS, LINK_SOCKOPS, LINK_MAX };

struct attached {
	uint64_t id; /* 0: free */
	struct bpf_link *link[LINK_MAX];
};

struct ring {
	struct source source;
	struct socket_bpf *bpf;
	struct ring_buffer *reader;
	const volatile unsigned long *produced; /* position, mapped from the kernel */
	const volatile unsigned long *consumed;
	size_t page_size;
	int cpu_count;
	uint64_t malformed;
	struct attached attached[RING_CGROUPS_MAX];
	event_fn fn; /* of the drain at hand */
	void *ctx;
};

static int on_record(void *ctx, void *record, size_t size)
{
	struct ring *r = ctx;
	struct event ev;

	if (record_read(record, size, &ev))
		r->malformed++;
	else
		r->fn(r->ctx, &ev);
	return 0;
}

static int ring_drain(struct source *s, event_fn fn, void *ctx)
{
	struct ring *r = (struct ring *)s;
	int n;

	r->fn = fn;
	r->ctx = ctx;
	n = ring_buffer__consume(r->reader);
	if (n > 0)
		r->bpf->bss->reader_awake = 1;
	return n;
}

static bool ring_sleep(struct source *s)
{
	struct ring *r = (struct ring *)s;

	r->bpf->bss->reader_awake = 0;
	/* What the kernel wrote before it saw this, we see after it. */
	__sync_synchronize();
	return *r->produced == *r->consumed;
}

static int ring_fd(const struct source *s)
{
	return ring_buffer__epoll_fd(((const struct ring *)s)->reader);
}

static void detach(struct attached *a)
{
	for (int i = 0; i < LINK_MAX; i++)
		(void)bpf_link__destroy(a->link[i]); /* closes the descriptor whatever it says */
	*a = (struct attached){0};
}

static void ring_free(struct source *s)
{
	struct ring *r = (struct ring *)s;

	for (size_t i = 0; i < RING_CGROUPS_MAX; i++)
		detach(&r->attached[i]);
	if (r->produced)
		(void)munmap((void *)r->produced, r->page_size);
	if (r->consumed)
		(void)munmap((void *)r->consumed, r->page_size);
	ring_buffer__free(r->reader);
	socket_bpf__destroy(r->bpf);
	free(r);
}

static const struct source_ops ring_ops = {
	.drain = ring_drain,
	.sleep = ring_sleep,
	.fd = ring_fd,
	.free = ring_free,
};

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

/* As the kernel's perfmon_capable(): CAP_SYS_ADMIN will do. */
static bool has_perfmon(void)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t perfmon = CAP_CLEAR;
	cap_flag_value_t admin = CAP_CLEAR;

	if (!caps)
		return false;
	(void)cap_get_flag(caps, CAP_PERFMON, CAP_EFFECTIVE, &perfmon); /* older: not known */
	(void)cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &admin);
	(void)cap_free(caps);
	return perfmon == CAP_SET || admin == CAP_SET;
}

static int load(struct ring *r, size_t ring_bytes)
{
	struct socket_bpf *bpf = socket_bpf__open();

	if (!bpf)
		return -errno;
	r->bpf = bpf;
	(void)bpf_map__set_max_entries(bpf->maps.ring,
				       (__u32)ring_bytes); /* not loaded: cannot fail */
	bpf->rodata->has_current_pid =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_FUNC_get_current_pid_tgid,
					NULL) == 1;
	bpf->rodata->may_scan = has_perfmon();
	bpf->bss->wake_bytes = (__u32)(ring_bytes / WAKE_SHARE);
	return socket_bpf__load(bpf);
}

/* The two positions at the start of a ring (kernel/bpf/ringbuf.c, struct bpf_ringbuf). */
static int map_positions(struct ring *r)
{
	int fd = bpf_map__fd(r->bpf->maps.ring);
	void *consumed = mmap(NULL, r->page_size, PROT_READ, MAP_SHARED, fd, 0);
	void *produced = mmap(NULL, r->page_size, PROT_READ, MAP_SHARED, fd, (off_t)r->page_size);

	r->consumed = consumed == MAP_FAILED ? NULL : consumed;
	r->produced = produced == MAP_FAILED ? NULL : produced;
	return r->consumed && r->produced ? 0 : -ENOMEM;
}

struct source *ring_new(size_t ring_bytes)
{
	struct ring *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		goto fail;
	r->source.ops = &ring_ops;
	r->page_size = (size_t)sysconf(_SC_PAGESIZE);
	r->cpu_count = libbpf_num_possible_cpus();
	libbpf_set_print(print_debug);
	err = load(r, ring_bytes);
	if (err)
		goto fail;
	r->reader = ring_buffer__new(bpf_map__fd(r->bpf->maps.ring), on_record, r, NULL);
	err = r->reader ? map_positions(r) : -errno;
	if (err)
		goto fail;
	return &r->source;
fail:
	/* The probes name what is missing, if it is one of the usual things. */
	if (probe_require(ring_bytes) == 0)
		log_error("capture: the kernel does not load our programs (%s); run with "
			  "--log-level debug to see what it says",
			  strerror(-err));
	if (r)
		ring_free(&r->source);
	return NULL;
}

/* The value that the programs of this cgroup find: made by the first attachment. */
static int name_cgroup(struct ring *r, uint64_t id, uint64_t container)
{
	struct sl_cgroup *values = calloc((size_t)r->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	for (int i = 0; i < r->cpu_count; i++)
		values[i].container = container;
	err = bpf_map_update_elem(bpf_map__fd(r->bpf->maps.cgroups), &id, values, BPF_EXIST);
	free(values);
	return err ? -errno : 0;
}

int ring_attach(struct source *s, int cgroup_fd, uint64_t id, uint64_t container)
{
	struct ring *r = (struct ring *)s;
	/* Connections first, so that none is seen to speak before it was seen to open. */
	const struct bpf_program *const programs[LINK_MAX] = {
		[LINK_INGRESS] = r->bpf->progs.sl_ingress,
		[LINK_EGRESS] = r->bpf->progs.sl_egress,
		[LINK_SOCKOPS] = r->bpf->progs.sl_sockops,
	};
	struct attached *a = NULL;

	for (size_t i = 0; i < RING_CGROUPS_MAX && !a; i++)
		if (r->attached[i].id == 0)
			a = &r->attached[i];
	if (!a)
		return -ENOSPC;
	a->id = id;
	for (int i = LINK_MAX - 1; i >= 0; i--) {
		int err = 0;

		a->link[i] = bpf_program__attach_cgroup(programs[i], cgroup_fd);
		if (!a->link[i])
			err = -errno;
		else if (i == LINK_MAX - 1)
			err = name_cgroup(r, id, container);
		if (err) {
			detach(a);
			return err;
		}
	}
	return 0;
}

void ring_detach(struct source *s, uint64_t id)
{
	struct ring *r = (struct ring *)s;

	for (size_t i = 0; i < RING_CGROUPS_MAX; i++)
		if (r->attached[i].id == id)
			detach(&r->attached[i]);
}

int ring_counters(const struct source *s, uint64_t id, uint64_t ret_counter[SL_C_MAX])
{
	const struct ring *r = (const struct ring *)s;
	struct sl_cgroup *values = calloc((size_t)r->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	err = bpf_map_lookup_elem(bpf_map__fd(r->bpf->maps.cgroups), &id, values);
	if (err) {
		free(values);
		return -errno;
	}
	memset(ret_counter, 0, SL_C_MAX * sizeof(*ret_counter));
	for (int i = 0; i < r->cpu_count; i++)
		for (int c = 0; c < SL_C_MAX; c++)
			ret_counter[c] += values[i].counter[c];
	free(values);
	return 0;
}

uint64_t ring_malformed(const struct source *s)
{
	return ((const struct ring *)s)->malformed;
}
