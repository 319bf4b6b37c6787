/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/seen.h"

#include <string.h>

void seen_start(struct seen *s, uint32_t seq)
{
	*s = (struct seen){.is_started = true, .first = seq, .next = seq, .acked = seq};
}

static void hole_remove(struct seen *s, unsigned i)
{
	s->hole_count--;
	memmove(&s->hole[i], &s->hole[i + 1], (s->hole_count - i) * sizeof(s->hole[0]));
}

/* Before hole i. Returns the bytes lost to make room: of the lowest hole, which may be the new one.
 */
static uint32_t hole_insert(struct seen *s, unsigned i, struct seq_range r)
{
	uint32_t lost = 0;

	if (s->hole_count == SEEN_HOLES_MAX) {
		if (i == 0)
			return r.to - r.from;
		lost = s->hole[0].to - s->hole[0].from;
		hole_remove(s, 0);
		i--;
	}
	memmove(&s->hole[i + 1], &s->hole[i], (s->hole_count - i) * sizeof(s->hole[0]));
	s->hole[i] = r;
	s->hole_count++;
	return lost;
}

/* Above all others. Returns the bytes lost to make room. */
static uint32_t hole_append(struct seen *s, struct seq_range r)
{
	/* Where the direction was known to have come so far without a byte (FIN), two meet. */
	if (s->hole_count && s->hole[s->hole_count - 1].to == r.from) {
		s->hole[s->hole_count - 1].to = r.to;
		return 0;
	}
	return hole_insert(s, s->hole_count, r);
}

/* Takes what r shares with each hole out of it. */
static void holes_fill(struct seen *s, struct seq_range r, struct seen_result *ret)
{
	unsigned i = 0;

	while (i < s->hole_count) {
		struct seq_range *h = &s->hole[i];
		struct seq_range cut = r;

		if (seq_before(cut.from, h->from))
			cut.from = h->from;
		if (seq_before(h->to, cut.to))
			cut.to = h->to;
		if (!seq_before(cut.from, cut.to)) {
			i++;
			continue;
		}
		ret->new[ret->new_count++] = cut;
		if (cut.from == h->from && cut.to == h->to) {
			hole_remove(s, i);
		} else if (cut.from == h->from) {
			h->from = cut.to;
			i++;
		} else if (cut.to == h->to) {
			h->to = cut.from;
			i++;
		} else {
			/* r ends inside this hole: no later one can share with it. */
			struct seq_range low = {h->from, cut.from};

			h->from = cut.to;
			ret->lost_bytes += hole_insert(s, i, low);
			return;
		}
	}
}

void seen_add(struct seen *s, struct seq_range r, struct seen_result *ret)
{
	ret->new_count = 0;
	ret->lost_bytes = 0;
	holes_fill(s, r, ret);
	if (seq_before(s->next, r.from)) {
		struct seq_range h = {s->next, r.from};

		if (seq_before(h.from, s->acked)) {
			h.from = seq_before(s->acked, h.to) ? s->acked : h.to;
			ret->lost_bytes += h.from - s->next;
		}
		if (h.from != h.to)
			ret->lost_bytes += hole_append(s, h);
		s->next = r.from;
	}
	if (seq_before(s->next, r.to)) {
		ret->new[ret->new_count++] = (struct seq_range){s->next, r.to};
		s->next = r.to;
	}
}

uint32_t seen_cut(struct seen *s, uint32_t to)
{
	uint32_t lost = to - s->next;

	if (!seq_before(s->next, to))
		return 0;
	s->next = to;
	return lost;
}

uint32_t seen_hole_bytes(const struct seen *s)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < s->hole_count; i++)
		bytes += s->hole[i].to - s->hole[i].from;
	return bytes;
}

bool seen_has_new(const struct seen *s, struct seq_range r)
{
	if (!s->is_started || seq_before(s->next, r.to))
		return true;
	for (unsigned i = 0; i < s->hole_count; i++)
		if (seq_before(r.from, s->hole[i].to) && seq_before(s->hole[i].from, r.to))
			return true;
	return false;
}

bool seen_is_missing(const struct seen *s, uint32_t to)
{
	if (!s->is_started || !seq_before(s->acked, to) ||
	    !seen_fits(s, (struct seq_range){to, to}))
		return false;
	return seq_before(seen_floor(s), to);
}

uint32_t seen_ack(struct seen *s, uint32_t ack)
{
	uint32_t lost = 0;

	if (!s->is_started) {
		seen_start(s, ack);
		return 0;
	}
	if (!seq_before(s->acked, ack) || !seen_fits(s, (struct seq_range){ack, ack}))
		return 0;
	s->acked = ack;
	while (s->hole_count && seq_before(s->hole[0].from, ack)) {
		struct seq_range *h = &s->hole[0];

		if (seq_before(ack, h->to)) {
			lost += ack - h->from;
			h->from = ack;
			break;
		}
		lost += h->to - h->from;
		hole_remove(s, 0);
	}
	/* One byte too many is a FIN that the capture missed, more often than data. */
	if (seq_before(s->next + 1, ack)) {
		lost += ack - s->next;
		s->next = ack;
	}
	return lost;
}
