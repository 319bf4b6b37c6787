/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/ahead.h"

/* The least that a segment is charged, so that many small ones can't make a long list. */
#define COST_LEAST 512

static uint32_t cost_of(size_t len)
{
	size_t cost = queued_segment_size(len);

	return cost < COST_LEAST ? COST_LEAST : (uint32_t)cost;
}

static void drop_first(struct ahead *a, struct memory_account *memory)
{
	struct queued_segment *p = a->first;

	a->first = p->next;
	a->bytes -= cost_of(p->len);
	memory_free(memory, p);
}

static void drop_last(struct ahead *a, struct memory_account *memory)
{
	struct queued_segment **at = &a->first;

	while ((*at)->next)
		at = &(*at)->next;
	a->bytes -= cost_of((*at)->len);
	memory_free(memory, *at);
	*at = NULL;
	a->dropped++;
}

static const struct queued_segment *last_of(const struct ahead *a)
{
	const struct queued_segment *p = a->first;

	while (p && p->next)
		p = p->next;
	return p;
}

/* Drops segments that were taken, and those that end at or before next. */
static void drop_old(struct ahead *a, struct memory_account *memory, uint32_t next)
{
	while (a->first && (a->first->is_taken || seq_diff(a->first->to_seq, next) <= 0))
		drop_first(a, memory);
}

void ahead_release(struct ahead *a, struct memory_account *memory)
{
	while (a->first)
		drop_first(a, memory);
}

void ahead_keep(struct ahead *a, struct memory_account *memory, uint32_t next,
		const struct segment_view *segment, uint64_t time_ns)
{
	uint32_t cost = cost_of(segment->data.len);
	bool is_full;

	drop_old(a, memory, next);
	if (seq_diff(segment->to_seq, next) <= 0)
		return;
	while (a->first && cost > AHEAD_MAX - a->bytes &&
	       seq_diff(last_of(a)->from_seq, segment->from_seq) > 0)
		drop_last(a, memory);
	is_full = cost > AHEAD_MAX - a->bytes;
	if (is_full || !queued_segment_add(&a->first, memory, segment, time_ns))
		a->dropped++;
	else
		a->bytes += cost;
}

bool ahead_first(struct ahead *a, struct memory_account *memory, uint32_t next, uint32_t to,
		 uint32_t *ret_from)
{
	drop_old(a, memory, next);
	if (!a->first || seq_diff(a->first->from_seq, to) >= 0 || seq_diff(next, to) >= 0)
		return false;
	*ret_from = a->first->from_seq;
	return true;
}

void ahead_take(struct ahead *a, uint32_t to, enum dir dir, struct segment_view *ret_segment,
		uint64_t *ret_time_ns)
{
	struct queued_segment *p = a->first;

	queued_segment_view(p, dir, ret_segment);
	if (seq_diff(to, p->seq) < 0) {
		ret_segment->data.len = 0;
		ret_segment->seq = to;
	} else if (to - p->seq < p->len) {
		ret_segment->data.len = to - p->seq;
	}
	if (seq_diff(to, p->to_seq) < 0) {
		ret_segment->to_seq = to;
		ret_segment->is_fin = false;
	}
	*ret_time_ns = p->time_ns;
	/*
	 * The next call frees it. The rest of a truncated segment stays, since it is not confirmed
	 * yet.
	 */
	p->is_taken = ret_segment->to_seq == p->to_seq;
}
