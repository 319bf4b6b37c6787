/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/seen.h"

#include <string.h>

void seen_start(struct seen *s, uint32_t seq)
{
	*s = (struct seen){.is_started = true, .first = seq, .next = seq, .acked = seq};
}

static void gap_remove(struct seen *s, unsigned i)
{
	s->gap_count--;
	memmove(&s->gap[i], &s->gap[i + 1], (s->gap_count - i) * sizeof(s->gap[0]));
}

/*
 * Inserts a gap at index i. Returns the bytes lost to make room: the lowest gap, maybe the new one.
 */
static uint32_t gap_insert(struct seen *s, unsigned i, struct seq_range r)
{
	uint32_t lost = 0;

	if (s->gap_count == SEEN_GAPS_MAX) {
		if (i == 0)
			return r.to - r.from;
		lost = s->gap[0].to - s->gap[0].from;
		gap_remove(s, 0);
		i--;
	}
	memmove(&s->gap[i + 1], &s->gap[i], (s->gap_count - i) * sizeof(s->gap[0]));
	s->gap[i] = r;
	s->gap_count++;
	return lost;
}

/* Appends a gap. Returns the bytes lost to make room. */
static uint32_t gap_append(struct seen *s, struct seq_range r)
{
	/* After a position without bytes (FIN), the new gap may touch the last one. */
	if (s->gap_count && s->gap[s->gap_count - 1].to == r.from) {
		s->gap[s->gap_count - 1].to = r.to;
		return 0;
	}
	return gap_insert(s, s->gap_count, r);
}

/* Removes the bytes of r from all gaps. */
static void gaps_fill(struct seen *s, struct seq_range r, struct seen_result *ret)
{
	unsigned i = 0;

	while (i < s->gap_count) {
		struct seq_range *h = &s->gap[i];
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
			gap_remove(s, i);
		} else if (cut.from == h->from) {
			h->from = cut.to;
			i++;
		} else if (cut.to == h->to) {
			h->to = cut.from;
			i++;
		} else {
			/* r ends inside this gap: it cannot overlap with a later one. */
			struct seq_range low = {h->from, cut.from};

			h->from = cut.to;
			ret->lost_bytes += gap_insert(s, i, low);
			return;
		}
	}
}

void seen_add(struct seen *s, struct seq_range r, struct seen_result *ret)
{
	ret->new_count = 0;
	ret->lost_bytes = 0;
	gaps_fill(s, r, ret);
	if (seq_before(s->next, r.from)) {
		struct seq_range h = {s->next, r.from};

		if (seq_before(h.from, s->acked)) {
			h.from = seq_before(s->acked, h.to) ? s->acked : h.to;
			ret->lost_bytes += h.from - s->next;
		}
		if (h.from != h.to)
			ret->lost_bytes += gap_append(s, h);
		s->next = r.from;
	}
	if (seq_before(s->next, r.to)) {
		ret->new[ret->new_count++] = (struct seq_range){s->next, r.to};
		s->next = r.to;
	}
}

uint32_t seen_skip(struct seen *s, uint32_t to)
{
	uint32_t lost = to - s->next;

	if (!seq_before(s->next, to))
		return 0;
	s->next = to;
	return lost;
}

uint32_t seen_gap_bytes(const struct seen *s)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < s->gap_count; i++)
		bytes += s->gap[i].to - s->gap[i].from;
	return bytes;
}

bool seen_has_new(const struct seen *s, struct seq_range r)
{
	if (!s->is_started || seq_before(s->next, r.to))
		return true;
	for (unsigned i = 0; i < s->gap_count; i++)
		if (seq_before(r.from, s->gap[i].to) && seq_before(s->gap[i].from, r.to))
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
	while (s->gap_count && seq_before(s->gap[0].from, ack)) {
		struct seq_range *h = &s->gap[0];

		if (seq_before(ack, h->to)) {
			lost += ack - h->from;
			h->from = ack;
			break;
		}
		lost += h->to - h->from;
		gap_remove(s, 0);
	}
	/* An acknowledgement of one byte more is usually a FIN that the capture lacks. */
	if (seq_before(s->next + 1, ack)) {
		lost += ack - s->next;
		s->next = ack;
	}
	return lost;
}
