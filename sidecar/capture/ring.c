/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/mapped.h"
#include "capture/probe.h"
#include "capture/record.h"
#include "pod/privilege.h"
#include "ringbuf.skel.h"
#include "socket.skel.h"

/* The reader on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4
/* And how much of it may be of connections whose frames are not found yet. */
#define UNPLACED_SHARE 4

/* How much is read before the kernel may write there again: the position is shared with all CPUs.
 */
#define RELEASE_BYTES (16u << 10)

_Static_assert(sizeof(struct sl_data) + SL_DATA_LARGE + BPF_RINGBUF_HDR_SZ <= SL_RECORD_MAX,
	       "the largest record");

enum { LINK_INGRESS, LINK_EGRESS, LINK_SOCKOPS, LINK_MAX };

struct attached {
	uint64_t id; /* 0: free */
	struct bpf_link *link[LINK_MAX];
};

struct ring {
	struct source source;
	struct socket_bpf *bpf;
	struct sl_shared *shared;
	struct mapped records;
	struct mapped wakes; /* what wakes us, if not the records themselves */
	int wake_fd; /* an epoll instance with the kernel's ring in it; -1: none */
	size_t size; /* of the ring: a power of two */
	int cpu_count;
	struct sl_close *late; /* taken from late_closes: room for all, untouched till then */
	size_t late_count;
	uint64_t late_at; /* position that is to be read before they are handed out */
	uint64_t malformed;
	uint64_t answers;
	struct attached attached[RING_CGROUPS_MAX];
};

/* Takes what is in late_closes: all records of those connections are in the ring by now. */
static void take_late_closes(struct ring *r)
{
	scoped_privilege int raised = privilege_raise();
	int fd = bpf_map__fd(r->bpf->maps.late_closes);

	r->bpf->bss->has_late_close = 0;
	while (r->late_count < SL_LATE_CLOSES &&
	       bpf_map_lookup_and_delete_elem(fd, NULL, &r->late[r->late_count]) == 0)
		r->late_count++;
	if (r->late_count < SL_LATE_CLOSES && errno != ENOENT)
		log_error("capture: cannot read ends of connections (%s)", strerror(errno));
	r->late_at = mapped_produced(&r->records);
}

/* Returns how many. */
static int hand_out_late_closes(struct ring *r, event_fn fn, void *ctx)
{
	int n = (int)r->late_count;
	struct event ev;

	for (int i = 0; i < n; i++)
		if (record_read(&r->late[i], sizeof(r->late[i]), &ev))
			r->malformed++;
		else
			fn(ctx, &ev);
	r->late_count = 0;
	return n;
}

/*
 * What libbpf's ring_buffer__consume() does, without a
 * call and a store to the shared position for each record. At most one ring full: a kernel that
 * writes as fast as we read must not keep us here.
 */
static int ring_drain(struct source *s, event_fn fn, void *ctx)
{
	struct ring *r = (struct ring *)s;
	struct mapped *m = &r->records;
	const uint64_t start = m->at;
	uint64_t released = start;
	const void *record;
	struct event ev;
	uint32_t len;
	int n = 0;

	/* Who finds it set does not wake us: what he has written before, we see after this. */
	r->shared->has_woken = 0;
	__sync_synchronize();
	if (r->bpf->bss->has_late_close && !r->late_count)
		take_late_closes(r);
	while (m->at - start < r->size && (record = mapped_next(m, &len))) {
		if (record_read(record, len, &ev))
			r->malformed++;
		else
			fn(ctx, &ev);
		n++;
		if (m->at - released >= RELEASE_BYTES) {
			released = m->at;
			mapped_release(m);
		}
	}
	mapped_release(m);
	/* Discarded records are news, too: of who sends more of them, one need not wake us. */
	if (n == 0 && m->at != start)
		n = 1;
	mapped_rewind(m);
	if (r->late_count && m->at - r->late_at < UINT64_MAX / 2)
		n += hand_out_late_closes(r, fn, ctx);
	if (n > 0) {
		r->shared->reader_awake = 1;
		r->bpf->bss->unplaced_bytes = 0;
	}
	return n;
}

static bool ring_sleep(struct source *s)
{
	struct ring *r = (struct ring *)s;

	r->shared->reader_awake = 0;
	/* What the kernel wrote before it saw this, we see after it. */
	__sync_synchronize();
	return mapped_produced(&r->records) == r->records.at && !r->bpf->bss->has_late_close &&
	       !r->late_count;
}

static int ring_fd(const struct source *s)
{
	return ((const struct ring *)s)->wake_fd;
}

static void ring_woken(struct source *s)
{
	struct ring *r = (struct ring *)s;
	struct epoll_event event;

	/* Takes the one event there is, or is, with none, a spurious call. */
	(void)epoll_wait(r->wake_fd, &event, 1, 0);
	if (r->wakes.data)
		mapped_skip(&r->wakes);
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
	mapped_close(&r->records);
	mapped_close(&r->wakes);
	if (r->wake_fd >= 0)
		(void)close(r->wake_fd); /* nothing was written to it */
	socket_bpf__destroy(r->bpf);
	free(r->late);
	free(r);
}

static const struct source_ops ring_ops = {
	.drain = ring_drain,
	.sleep = ring_sleep,
	.fd = ring_fd,
	.woken = ring_woken,
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

/* Returns 0 or negative errno. */
static int load_object(struct ring *r, enum object object)
{
	struct socket_bpf *bpf = open_programs(
		object, libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
						BPF_FUNC_get_current_pid_tgid, NULL) == 1);
	bool is_sealed = object == OBJECT_SEALED;
	/* Where the kernel's ring only wakes us, the least will do. */
	size_t ringbuf_bytes = is_sealed ? (size_t)sysconf(_SC_PAGESIZE) : r->size;
	uint64_t seal;
	int err;

	if (!bpf)
		return -errno;
	if (getrandom(&seal, sizeof(seal), 0) != sizeof(seal)) {
		err = -errno;
		goto fail;
	}
	seal |= 1ull << 63; /* a word that is not sealed must not look so */
	/* Not loaded yet: these cannot fail. */
	(void)bpf_map__set_max_entries(bpf->maps.ringbuf, (__u32)ringbuf_bytes);
	(void)bpf_map__set_value_size(bpf->maps.records, is_sealed ? (__u32)r->size + SL_RECORD_MAX
								   : sizeof(uint64_t));
	bpf->rodata->ring_bytes = r->size;
	bpf->rodata->ring_mask = r->size - 8;
	bpf->rodata->ring_seal = seal;
	bpf->data_shared->shared.wake_bytes = (__u32)(r->size / WAKE_SHARE);
	bpf->bss->unplaced_max = (__u32)(r->size / UNPLACED_SHARE);
	err = socket_bpf__load(bpf);
	if (err)
		goto fail;
	r->bpf = bpf;
	r->shared = (struct sl_shared *)&bpf->data_shared->shared;
	err = mapped_open_ringbuf(is_sealed ? &r->wakes : &r->records,
				  bpf_map__fd(bpf->maps.ringbuf), ringbuf_bytes);
	return err || !is_sealed ? err
				 : mapped_open_sealed(&r->records, bpf_map__fd(bpf->maps.records),
						      r->size, r->shared, seal);
fail:
	socket_bpf__destroy(bpf);
	return err;
}

static int load(struct ring *r)
{
	int err;

	/* Some kernels would load them all the same. One rule for all: what `doctor` says. */
	if (!privilege_has(CAP_PERFMON))
		return -EPERM;
	if (!probe_has_atomics())
		return load_object(r, OBJECT_RINGBUF);
	err = load_object(r, OBJECT_SEALED);
	/* Some kernels take no array of more than 4 MiB (KMALLOC_MAX_SIZE). */
	return err == -E2BIG ? load_object(r, OBJECT_RINGBUF) : err;
}

/*
 * The descriptor to watch is not the ring's own, which is readable whenever the ring is not empty,
 * but one that is readable once for each time the kernel wakes us.
 */
static int watch(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	r->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->wake_fd < 0 ||
	    epoll_ctl(r->wake_fd, EPOLL_CTL_ADD, bpf_map__fd(r->bpf->maps.ringbuf), &event))
		return -errno;
	return 0;
}

struct source *ring_new(size_t ring_bytes)
{
	struct ring *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		goto fail;
	r->source.ops = &ring_ops;
	r->wake_fd = -1;
	r->size = ring_bytes;
	r->cpu_count = libbpf_num_possible_cpus();
	r->late = calloc(SL_LATE_CLOSES, sizeof(*r->late));
	if (!r->late)
		goto fail;
	libbpf_set_print(print_debug);
	err = load(r);
	if (err)
		goto fail;
	err = watch(r);
	if (err)
		goto fail;
	return &r->source;
fail:
	/* The probes name what is missing, if it is one of the usual things. */
	if (probe_require(ring_bytes) == 0)
		log_error("capture: the kernel does not load our programs (%s); "
			  "run with --log-level debug to see what it says",
			  strerror(-err));
	if (r)
		ring_free(&r->source);
	return NULL;
}

/* The value that the programs of this cgroup find, made by the first attachment: they begin. */
static int start_cgroup(struct ring *r, uint64_t id, uint64_t container)
{
	struct sl_cgroup *values = calloc((size_t)r->cpu_count, sizeof(*values));
	int err;

	if (!values)
		return -ENOMEM;
	for (int i = 0; i < r->cpu_count; i++)
		values[i] = (struct sl_cgroup){.container = container, .is_attached = true};
	err = bpf_map_update_elem(bpf_map__fd(r->bpf->maps.cgroups), &id, values, BPF_EXIST);
	free(values);
	return err ? -errno : 0;
}

int ring_attach(struct source *s, int cgroup_fd, uint64_t id, uint64_t container)
{
	struct ring *r = (struct ring *)s;
	const struct bpf_program *const programs[LINK_MAX] = {
		[LINK_INGRESS] = r->bpf->progs.sl_ingress,
		[LINK_EGRESS] = r->bpf->progs.sl_egress,
		[LINK_SOCKOPS] = r->bpf->progs.sl_sockops,
	};
	struct attached *a = NULL;
	int err = 0;

	for (size_t i = 0; i < RING_CGROUPS_MAX && !a; i++)
		if (r->attached[i].id == 0)
			a = &r->attached[i];
	if (!a)
		return -ENOSPC;
	a->id = id;
	for (int i = 0; i < LINK_MAX && !err; i++) {
		a->link[i] = bpf_program__attach_cgroup(programs[i], cgroup_fd);
		if (!a->link[i])
			err = -errno;
	}
	if (!err)
		err = start_cgroup(r, id, container);
	if (err)
		detach(a);
	return err;
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

int ring_answer(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct ring *r = (struct ring *)s;
	int fd = bpf_map__fd(r->bpf->maps.verdicts);
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
	r->answers++;
	return 0;
}

uint64_t ring_answers(const struct source *s)
{
	return ((const struct ring *)s)->answers;
}

uint64_t ring_malformed(const struct source *s)
{
	return ((const struct ring *)s)->malformed;
}
