/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/ahead.h"

#include <string.h>

/* What a piece costs at least: a list of many small ones would be long to search. */
#define COST_LEAST 512

struct ahead_piece {
	struct ahead_piece *next;
	uint64_t time_ns;
	uint32_t seq; /* of data[0] */
	uint32_t len;
	uint32_t from_seq;
	uint32_t to_seq;
	bool is_taken; /* it will be freed by the next call */
	bool is_fin;
	char data[];
};

/* a - b on the circle of sequence numbers (RFC 9293 section 3.4). */
static int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static uint32_t cost_of(size_t len)
{
	size_t cost = sizeof(struct ahead_piece) + len;

	return cost < COST_LEAST ? COST_LEAST : (uint32_t)cost;
}

static void drop_first(struct ahead *a, struct memory_account *memory)
{
	struct ahead_piece *p = a->first;

	a->first = p->next;
	a->bytes -= cost_of(p->len);
	memory_free(memory, p);
}

static void drop_last(struct ahead *a, struct memory_account *memory)
{
	struct ahead_piece **at = &a->first;

	while ((*at)->next)
		at = &(*at)->next;
	a->bytes -= cost_of((*at)->len);
	memory_free(memory, *at);
	*at = NULL;
	a->dropped++;
}

static const struct ahead_piece *last_of(const struct ahead *a)
{
	const struct ahead_piece *p = a->first;

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
		const struct event_data *piece, uint64_t time_ns)
{
	uint32_t cost = cost_of(piece->data.len);
	struct ahead_piece **at = &a->first;
	struct ahead_piece *p;

	drop_old(a, memory, next);
	if (seq_diff(piece->to_seq, next) <= 0)
		return;
	while (a->first && cost > AHEAD_MAX - a->bytes &&
	       seq_diff(last_of(a)->from_seq, piece->from_seq) > 0)
		drop_last(a, memory);
	p = cost > AHEAD_MAX - a->bytes ? NULL : memory_alloc(memory, sizeof(*p) + piece->data.len);
	if (!p) {
		a->dropped++;
		return;
	}
	*p = (struct ahead_piece){
		.time_ns = time_ns,
		.seq = piece->seq,
		.len = (uint32_t)piece->data.len,
		.from_seq = piece->from_seq,
		.to_seq = piece->to_seq,
		.is_fin = piece->is_fin,
	};
	if (piece->data.len)
		memcpy(p->data, piece->data.ptr, piece->data.len);
	while (*at && seq_diff((*at)->from_seq, p->from_seq) <= 0)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
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

void ahead_take(struct ahead *a, uint32_t to, struct event_data *ret_piece, uint64_t *ret_time_ns)
{
	struct ahead_piece *p = a->first;
	uint32_t len = p->len;

	if (seq_diff(to, p->seq) < 0)
		len = 0;
	else if (to - p->seq < len)
		len = to - p->seq;
	ret_piece->data = (struct span){p->data, len};
	ret_piece->from_seq = p->from_seq;
	ret_piece->seq = seq_diff(to, p->seq) < 0 ? to : p->seq;
	ret_piece->to_seq = seq_diff(to, p->to_seq) < 0 ? to : p->to_seq;
	ret_piece->is_fin = p->is_fin && ret_piece->to_seq == p->to_seq;
	*ret_time_ns = p->time_ns;
	/* Cut off, the rest of it is not known to have passed yet. */
	p->is_taken = ret_piece->to_seq == p->to_seq;
}
