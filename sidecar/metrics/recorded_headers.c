/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/recorded_headers.h"

#include <stdlib.h>

/* Rounding of malloc(), and what it has in front of an allocation. */
#define OVERHEAD 32u

struct recorded_headers {
	struct headers **of; /* by place; owned */
	size_t recent;
	size_t places;
	size_t oldest; /* no older recent request has fields; it wraps */
	size_t kept_bytes; /* of the places behind the recent ones */
	const struct header_wishes *wishes;
	struct memory_account account;
	struct recorded_headers_stats *stats;
};

struct recorded_headers *recorded_headers_new(size_t recent, size_t places,
					      const struct header_wishes *wishes,
					      struct memory_budget *budget,
					      struct recorded_headers_stats *stats)
{
	struct recorded_headers *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->of = calloc(places, sizeof(struct headers *));
	r->recent = recent;
	r->places = places;
	r->wishes = wishes;
	r->account.budget = budget;
	r->stats = stats;
	if (r->of)
		return r;
	free(r);
	return NULL;
}

static size_t bytes_of(const struct headers *h)
{
	return sizeof(*h) + h->alloc;
}

static void drop(struct recorded_headers *r, size_t place)
{
	struct headers *h = r->of[place];

	if (!h)
		return;
	if (place >= r->recent)
		r->kept_bytes -= bytes_of(h);
	memory_free(&r->account, h);
	r->of[place] = NULL;
	r->stats->bytes = r->account.used;
}

void recorded_headers_free(struct recorded_headers *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->places; i++)
		drop(r, i);
	free(r->of);
	free(r);
}

static bool fits(const struct recorded_headers *r, size_t bytes)
{
	const struct memory_budget *b = r->account.budget;

	return r->account.used + bytes <= b->account_cap && b->used + bytes <= b->cap;
}

/* The oldest recent requests lose their fields. False: there is no room all the same. */
static bool make_room(struct recorded_headers *r, size_t place, size_t bytes)
{
	while (!fits(r, bytes) && r->oldest != place) {
		r->stats->dropped += r->of[r->oldest] != NULL;
		drop(r, r->oldest);
		r->oldest = (r->oldest + 1) % r->recent;
	}
	return fits(r, bytes);
}

void recorded_headers_set(struct recorded_headers *r, size_t place, const struct headers *h)
{
	drop(r, place);
	/* The next one is the oldest, unless it gave way already. */
	if (r->oldest == place)
		r->oldest = (place + 1) % r->recent;
	if (!h)
		return;
	if (make_room(r, place, headers_copy_bytes(h) + OVERHEAD))
		r->of[place] = headers_copy(h, &r->account, r->wishes);
	r->stats->dropped += !r->of[place];
	r->stats->cut += h->is_cut;
	r->stats->bytes = r->account.used;
}

void recorded_headers_move(struct recorded_headers *r, size_t from, size_t to)
{
	struct headers *h = r->of[from];
	size_t bytes = h ? bytes_of(h) : 0;

	drop(r, to);
	if (!h)
		return;
	if (r->kept_bytes + bytes > r->account.budget->account_cap / 2) {
		r->stats->dropped++;
		return;
	}
	r->kept_bytes += bytes;
	r->of[to] = h;
	r->of[from] = NULL;
}

void recorded_headers_retain(struct recorded_headers *r)
{
	for (size_t i = 0; i < r->places; i++)
		if (r->of[i])
			headers_retain(r->of[i], r->wishes);
}

const struct headers *recorded_headers_get(const struct recorded_headers *r, size_t place)
{
	return r->of[place];
}
