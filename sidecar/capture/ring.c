/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "capture/mapped.h"
#include "capture/record.h"
#include "capture/wake.h"
#include "socket.skel.h"

/*
 * How much is read before the position is published, which frees the memory for the BPF programs.
 * All CPUs share the cache line of the position.
 */
#define RELEASE_BYTES (16u << 10)

_Static_assert(sizeof(struct sl_data) + SL_DATA_LARGE + BPF_RINGBUF_HDR_SZ <= SL_RECORD_MAX,
	       "the largest record");

struct ring {
	struct source source;
	struct sl_shared *shared; /* one mapped page */
	struct socket_bpf__bss *bss; /* one mapped page */
	struct mapped records;
	struct mapped wakes; /* the BPF ring buffer, if it does not hold the records */
	struct wake wake;
	size_t size; /* of the ring: a power of two */
	const struct ring_owner_ops *owner;
	void *ctx; /* context of owner */
	struct sl_close *late; /* CLOSE records from late_closes: room for all, allocated once */
	size_t late_count;
	uint64_t late_at; /* they are reported once the ring is read up to this position */
	struct source_counters counters;
};

/*
 * Fetches the records in late_closes. All other records of their connections are in the ring
 * already.
 */
static void take_late_closes(struct ring *r)
{
	int n;

	r->bss->has_late_close = 0;
	n = r->owner->fetch_closes(r->ctx, r->late, SL_LATE_CLOSES);
	if (n == -ETIMEDOUT)
		r->bss->has_late_close = 1; /* the next drain tries again */
	else if (n < 0)
		log_error("capture: cannot read ends of connections (%s)", strerror(-n));
	if (n > 0)
		r->late_count = (size_t)n;
	r->late_at = mapped_produced(&r->records);
}

/* Reports fetched CLOSE records; returns their number. */
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
 * Reads the ring as libbpf's ring_buffer__consume() does, but without a call and a store to the
 * shared position for each record. Reads at most one ring full, so that a fast producer can't keep
 * the loop here.
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

	/*
	 * Pairs with the atomic exchange that seals a record (bpf/ring.bpf.h): either the producer
	 * sees has_woken == 0 and may wake the reader, or the reader sees its record below.
	 */
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
	/* Discarded records count as progress: their producer need not wake the reader. */
	if (n == 0 && m->at != start)
		n = 1;
	mapped_rewind(m);
	if (r->late_count && m->at - r->late_at < UINT64_MAX / 2)
		n += hand_out_late_closes(r, fn, ctx);
	if (n > 0) {
		r->shared->reader_awake = 1;
		r->bss->unsynced_bytes = 0;
	}
	return n;
}

static bool ring_sleep(struct source *s)
{
	struct ring *r = (struct ring *)s;

	r->shared->reader_awake = 0;
	/*
	 * Pairs with the atomic exchange that seals a record (bpf/ring.bpf.h): either the producer
	 * sees reader_awake == 0 and wakes the reader, or the reader sees its record below.
	 */
	__sync_synchronize();
	return mapped_produced(&r->records) == r->records.at && !r->bss->has_late_close &&
	       !r->late_count;
}

static int ring_fd(const struct source *s)
{
	return ((const struct ring *)s)->wake.fd;
}

static void ring_woken(struct source *s)
{
	struct ring *r = (struct ring *)s;

	wake_consume(&r->wake);
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
	wake_close(&r->wake);
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

struct source *ring_open(const struct ring_layout *layout, const struct ring_owner_ops *owner,
			 void *ctx)
{
	struct ring *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		goto fail;
	r->source.ops = &ring_ops;
	r->wake = (struct wake){-1, -1};
	r->size = layout->bytes;
	r->owner = owner;
	r->ctx = ctx;
	r->late = calloc(SL_LATE_CLOSES, sizeof(*r->late));
	if (!r->late)
		goto fail;
	err = map_all(r, layout);
	if (!err)
		err = wake_open(&r->wake, layout->fds[RING_MAP_WAKE]);
	if (!err)
		return &r->source;
fail:
	if (r)
		ring_free(&r->source);
	errno = -err;
	return NULL;
}
