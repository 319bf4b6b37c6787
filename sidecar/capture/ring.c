/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/probe.h"
#include "capture/record.h"
#include "pod/privilege.h"
#include "plain.skel.h"
#include "socket.skel.h"

/* The reader on its timer is woken early when this share of the ring is full. */
#define WAKE_SHARE 4
/* And how much of it may be of connections whose frames are not found yet. */
#define UNPLACED_SHARE 4

/* How much is read before the kernel may write there again: the position is shared with all CPUs.
 */
#define RELEASE_BYTES (16u << 10)

/* Pages have at least this. */
_Static_assert(sizeof(struct sl_data) + SL_DATA_LARGE + BPF_RINGBUF_HDR_SZ <= 4096, "one page");

enum { LINK_INGRESS, LINK_EGRESS, LINK_SOCKOPS, LINK_MAX };

struct attached {
	uint64_t id; /* 0: free */
	struct bpf_link *link[LINK_MAX];
};

struct ring {
	struct source source;
	struct socket_bpf *bpf;
	int wake_fd; /* an epoll instance with the ring in it; -1: none */
	unsigned long *consumed; /* position, mapped from the kernel */
	const unsigned long *produced; /* likewise; the ring itself follows */
	size_t page_size;
	size_t size; /* of the ring: a power of two */
	size_t map_size; /* from produced on */
	int cpu_count;
	struct sl_close *late; /* taken from late_closes: room for all, untouched till then */
	size_t late_count;
	unsigned long late_at; /* position that is to be read before they are handed out */
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
	r->late_at = __atomic_load_n(r->produced, __ATOMIC_ACQUIRE);
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
 * What libbpf's ring_buffer__consume() does (kernel/bpf/ringbuf.c describes the layout), without a
 * call and a store to the shared position for each record. At most one ring full: a kernel that
 * writes as fast as we read must not keep us here.
 */
static int ring_drain(struct source *s, event_fn fn, void *ctx)
{
	struct ring *r = (struct ring *)s;
	const char *data = (const char *)r->produced + r->page_size;
	unsigned long pos = *r->consumed; /* only we write it */
	unsigned long end = __atomic_load_n(r->produced, __ATOMIC_ACQUIRE);
	unsigned long released = pos;
	const unsigned long mask = r->size - 1;
	struct event ev;
	int n = 0;

	if (r->bpf->bss->has_late_close && !r->late_count)
		take_late_closes(r);
	for (unsigned long last = pos + r->size; pos != end && pos < last;) {
		const char *record = data + (pos & mask);
		uint32_t len = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(len & BPF_RINGBUF_DISCARD_BIT)) {
			if (record_read(record + BPF_RINGBUF_HDR_SZ, len, &ev))
				r->malformed++;
			else
				fn(ctx, &ev);
		}
		len &= ~BPF_RINGBUF_DISCARD_BIT;
		pos += (len + BPF_RINGBUF_HDR_SZ + 7) & ~7ul;
		n++;
		if (pos - released >= RELEASE_BYTES) {
			released = pos;
			__atomic_store_n(r->consumed, pos, __ATOMIC_RELEASE);
		}
		if (pos == end)
			end = __atomic_load_n(r->produced, __ATOMIC_ACQUIRE);
	}
	__atomic_store_n(r->consumed, pos, __ATOMIC_RELEASE);
	if (r->late_count && pos - r->late_at < ULONG_MAX / 2)
		n += hand_out_late_closes(r, fn, ctx);
	if (n > 0) {
		r->bpf->bss->reader_awake = 1;
		r->bpf->bss->has_woken = 0;
		r->bpf->bss->unplaced_bytes = 0;
	}
	return n;
}

static bool ring_sleep(struct source *s)
{
	struct ring *r = (struct ring *)s;

	r->bpf->bss->reader_awake = 0;
	/* What the kernel wrote before it saw this, we see after it. */
	__sync_synchronize();
	return __atomic_load_n(r->produced, __ATOMIC_RELAXED) == *r->consumed &&
	       !r->bpf->bss->has_late_close && !r->late_count;
}

static int ring_fd(const struct source *s)
{
	return ((const struct ring *)s)->wake_fd;
}

static void ring_woken(struct source *s)
{
	struct epoll_event event;

	/* Takes the one event there is, or is, with none, a spurious call. */
	(void)epoll_wait(((struct ring *)s)->wake_fd, &event, 1, 0);
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
	if (r->consumed)
		(void)munmap(r->consumed, r->page_size);
	if (r->produced)
		(void)munmap((void *)r->produced, r->map_size);
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

/*
 * Puts r0 = 0 where the program calls a helper that this kernel lacks: without CAP_PERFMON the
 * verifier looks also into branches that a knob has closed.
 */
static int cut_current_pid(struct bpf_program *p)
{
	size_t count = bpf_program__insn_cnt(p);
	struct bpf_insn *insns = calloc(count, sizeof(*insns));
	int err;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(p), count * sizeof(*insns));
	for (size_t i = 0; i < count; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == 0 &&
		    insns[i].imm == BPF_FUNC_get_current_pid_tgid)
			insns[i] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K};
	err = bpf_program__set_insns(p, insns, count);
	free(insns);
	return err;
}

/* Two objects of one source (bpf/plain.bpf.h): what has a name in one has it in the other. */
static struct socket_bpf *open_programs(bool is_plain, bool has_current_pid)
{
	struct socket_bpf *bpf = calloc(1, sizeof(*bpf));
	struct bpf_program *p;
	int err;

	if (!bpf)
		return NULL;
	err = socket_bpf__create_skeleton(bpf);
	if (err)
		goto fail;
	if (is_plain)
		bpf->skeleton->data = (void *)plain_bpf__elf_bytes(&bpf->skeleton->data_sz);
	err = bpf_object__open_skeleton(bpf->skeleton, NULL);
	if (err)
		goto fail;
	bpf->rodata->has_current_pid = has_current_pid;
	if (!is_plain || has_current_pid)
		return bpf;
	for (p = NULL; (p = bpf_object__next_program(bpf->obj, p));) {
		err = cut_current_pid(p);
		if (err)
			goto fail;
	}
	return bpf;
fail:
	socket_bpf__destroy(bpf);
	errno = -err;
	return NULL;
}

static int load(struct ring *r, size_t ring_bytes)
{
	struct socket_bpf *bpf = open_programs(
		!has_perfmon(), libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB,
							BPF_FUNC_get_current_pid_tgid, NULL) == 1);

	if (!bpf)
		return -errno;
	r->bpf = bpf;
	(void)bpf_map__set_max_entries(bpf->maps.ring,
				       (__u32)ring_bytes); /* not loaded: cannot fail */
	bpf->bss->wake_bytes = (__u32)(ring_bytes / WAKE_SHARE);
	bpf->bss->unplaced_max = (__u32)(ring_bytes / UNPLACED_SHARE);
	return socket_bpf__load(bpf);
}

/*
 * A page with the consumer's position, which is ours; one with the producer's, and the ring
 * (kernel/bpf/ringbuf.c, struct bpf_ringbuf). The kernel has the ring twice in a row, so that no
 * record is cut. We map what one record needs of the second: all that is mapped counts as resident.
 *
 * The descriptor to watch is not the ring's own, which is readable whenever the ring is not empty,
 * but one that is readable once for each time the kernel wakes us.
 */
static int open_ring(struct ring *r)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int fd = bpf_map__fd(r->bpf->maps.ring);
	void *consumed = mmap(NULL, r->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *produced = mmap(NULL, r->map_size, PROT_READ, MAP_SHARED, fd, (off_t)r->page_size);

	r->consumed = consumed == MAP_FAILED ? NULL : consumed;
	r->produced = produced == MAP_FAILED ? NULL : produced;
	if (!r->consumed || !r->produced)
		return -ENOMEM;
	r->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->wake_fd < 0 || epoll_ctl(r->wake_fd, EPOLL_CTL_ADD, fd, &event))
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
	r->page_size = (size_t)sysconf(_SC_PAGESIZE);
	r->map_size = r->page_size + r->size + r->page_size;
	r->cpu_count = libbpf_num_possible_cpus();
	r->late = calloc(SL_LATE_CLOSES, sizeof(*r->late));
	if (!r->late)
		goto fail;
	libbpf_set_print(print_debug);
	err = load(r, ring_bytes);
	if (err)
		goto fail;
	err = open_ring(r);
	if (err)
		goto fail;
	return &r->source;
fail:
	/* The probes name what is missing, if it is one of the usual things. */
	if (probe_require(ring_bytes) == 0)
		log_error("capture: the kernel does not load our programs (%s); %s", strerror(-err),
			  has_perfmon() ? "run with --log-level debug to see what it says"
					: "it may with CAP_PERFMON");
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
