/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/ahead.h"

/* What a piece costs at least: a list of many small ones would be long to search. */
#define COST_LEAST 512

static uint32_t cost_of(size_t len)
{
	size_t cost = stored_piece_size(len);

	return cost < COST_LEAST ? COST_LEAST : (uint32_t)cost;
}

static void drop_first(struct ahead *a, struct memory_account *memory)
{
	struct stored_piece *p = a->first;

	a->first = p->next;
	a->bytes -= cost_of(p->len);
	memory_free(memory, p);
}

static void drop_last(struct ahead *a, struct memory_account *memory)
{
	struct stored_piece **at = &a->first;

	while ((*at)->next)
		at = &(*at)->next;
	a->bytes -= cost_of((*at)->len);
	memory_free(memory, *at);
	*at = NULL;
	a->dropped++;
}

static const struct stored_piece *last_of(const struct ahead *a)
{
	const struct stored_piece *p = a->first;

	while (p && p->next)
		p = p->next;
	return p;
}

/* What was taken, and what ends at or before next. */
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
		const struct segment_view *piece, uint64_t time_ns)
{
	uint32_t cost = cost_of(piece->data.len);
	bool is_full;

	drop_old(a, memory, next);
	if (seq_diff(piece->to_seq, next) <= 0)
		return;
	while (a->first && cost > AHEAD_MAX - a->bytes &&
	       seq_diff(last_of(a)->from_seq, piece->from_seq) > 0)
		drop_last(a, memory);
	is_full = cost > AHEAD_MAX - a->bytes;
	if (is_full || !stored_piece_add(&a->first, memory, piece, time_ns))
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

void ahead_take(struct ahead *a, uint32_t to, enum dir dir, struct segment_view *ret_piece,
		uint64_t *ret_time_ns)
{
	struct stored_piece *p = a->first;

	stored_piece_view(p, dir, ret_piece);
	if (seq_diff(to, p->seq) < 0) {
		ret_piece->data.len = 0;
		ret_piece->seq = to;
	} else if (to - p->seq < p->len) {
		ret_piece->data.len = to - p->seq;
	}
	if (seq_diff(to, p->to_seq) < 0) {
		ret_piece->to_seq = to;
		ret_piece->is_fin = false;
	}
	*ret_time_ns = p->time_ns;
	/* It is freed by the next call. Cut off, the rest of it is not known to have passed yet. */
	p->is_taken = ret_piece->to_seq == p->to_seq;
}
