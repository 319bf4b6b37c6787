/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/mapped.h"
#include "capture/record.h"
#include "socket.skel.h"

/* How much is read before the kernel may write there again: the position is shared with all CPUs.
 */
#define RELEASE_BYTES (16u << 10)

_Static_assert(sizeof(struct sl_data) + SL_DATA_LARGE + BPF_RINGBUF_HDR_SZ <= SL_RECORD_MAX,
	       "the largest record");

struct ring {
	struct source source;
	struct sl_shared *shared; /* mapped, a page */
	struct socket_bpf__bss *bss; /* mapped, a page */
	struct mapped records;
	struct mapped wakes; /* what wakes us, if not the records themselves */
	int wake_fd; /* an epoll instance with the kernel's ring in it; -1: none */
	int ring_fd; /* the kernel's ring */
	size_t size; /* of the ring: a power of two */
	const struct ring_owner_ops *owner;
	void *ctx; /* of owner */
	struct sl_close *late; /* taken from late_closes: room for all, untouched till then */
	size_t late_count;
	uint64_t late_at; /* position that is to be read before they are handed out */
	struct source_counters counters;
};

/* Takes what is in late_closes: all records of those connections are in the ring by now. */
static void take_late_closes(struct ring *r)
{
	int n;

	r->bss->has_late_close = 0;
	n = r->owner->fetch_closes(r->ctx, r->late, SL_LATE_CLOSES);
	if (n == -ETIMEDOUT)
		r->bss->has_late_close = 1; /* they are fetched by the next drain */
	else if (n < 0)
		log_error("capture: cannot read ends of connections (%s)", strerror(-n));
	if (n > 0)
		r->late_count = (size_t)n;
	r->late_at = mapped_produced(&r->records);
}

/* Returns how many. */
static int hand_out_late_closes(struct ring *r, event_fn fn, void *ctx)
{
	int n = (int)r->late_count;
	struct event ev;

	for (int i = 0; i < n; i++)
		if (record_read(&r->late[i], sizeof(r->late[i]), &ev))
			r->counters.malformed++;
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
	if (r->bss->has_late_close && !r->late_count)
		take_late_closes(r);
	while (m->at - start < r->size && (record = mapped_next(m, &len))) {
		if (record_read(record, len, &ev))
			r->counters.malformed++;
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
		r->bss->unplaced_bytes = 0;
	}
	return n;
}

static bool ring_sleep(struct source *s)
{
	struct ring *r = (struct ring *)s;

	r->shared->reader_awake = 0;
	/* What the kernel wrote before it saw this, we see after it. */
	__sync_synchronize();
	return mapped_produced(&r->records) == r->records.at && !r->bss->has_late_close &&
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

static int ring_answer(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct ring *r = (struct ring *)s;
	int err = r->owner->answer(r->ctx, conn_id, dir, seq);

	r->counters.answers += !err;
	return err;
}

static void ring_counters(const struct source *s, struct source_counters *ret_counters)
{
	*ret_counters = ((const struct ring *)s)->counters;
}

static void ring_free(struct source *s)
{
	struct ring *r = (struct ring *)s;

	mapped_close(&r->records);
	mapped_close(&r->wakes);
	mapped_section_close(r->shared, sizeof(*r->shared));
	mapped_section_close(r->bss, sizeof(*r->bss));
	if (r->wake_fd >= 0)
		(void)close(r->wake_fd); /* nothing was written to it, nor to the next */
	if (r->ring_fd >= 0)
		(void)close(r->ring_fd);
	free(r->late);
	free(r);
}

static const struct source_ops ring_ops = {
	.drain = ring_drain,
	.free = ring_free,
	.fd = ring_fd,
	.sleep = ring_sleep,
	.woken = ring_woken,
	.answer = ring_answer,
	.counters = ring_counters,
};

static int map_all(struct ring *r, const struct ring_layout *layout)
{
	bool is_sealed = layout->seal != 0;
	int err;

	r->shared = mapped_section(layout->fds[RING_MAP_SHARED], sizeof(*r->shared));
	r->bss = mapped_section(layout->fds[RING_MAP_BSS], sizeof(*r->bss));
	if (!r->shared || !r->bss)
		return -errno;
	err = mapped_open_ringbuf(is_sealed ? &r->wakes : &r->records, layout->fds[RING_MAP_WAKE],
				  layout->wake_bytes);
	if (err || !is_sealed)
		return err;
	return mapped_open_sealed(&r->records, layout->fds[RING_MAP_RECORDS], layout->bytes,
				  r->shared, layout->seal);
}

/*
 * The descriptor to watch is not the ring's own, which is readable whenever the ring is not empty,
 * but one that is readable once for each time the kernel wakes us.
 */
static int watch(struct ring *r, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	r->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->wake_fd < 0)
		return -errno;
	/* An epoll instance drops what is closed: the ring buffer stays open for as long as it. */
	r->ring_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (r->ring_fd < 0 || epoll_ctl(r->wake_fd, EPOLL_CTL_ADD, r->ring_fd, &event))
		return -errno;
	return 0;
}

struct source *ring_open(const struct ring_layout *layout, const struct ring_owner_ops *owner,
			 void *ctx)
{
	struct ring *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		goto fail;
	r->source.ops = &ring_ops;
	r->wake_fd = -1;
	r->ring_fd = -1;
	r->size = layout->bytes;
	r->owner = owner;
	r->ctx = ctx;
	r->late = calloc(SL_LATE_CLOSES, sizeof(*r->late));
	if (!r->late)
		goto fail;
	err = map_all(r, layout);
	if (!err)
		err = watch(r, layout->fds[RING_MAP_WAKE]);
	if (!err)
		return &r->source;
fail:
	if (r)
		ring_free(&r->source);
	errno = -err;
	return NULL;
}
