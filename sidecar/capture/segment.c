/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/segment.h"

#include <string.h>

#include "bpf/event.h"

/*
 * A RST is accepted if its sender can have sent it: not below the receiver's acknowledgement, and
 * not further ahead than a few windows that the capture may lack. Forged RSTs rarely match (RFC
 * 5961 section 3 is stricter).
 */
#define RST_AHEAD_MAX (4u << 20)

static void emit(struct streams *s, struct stream *c, struct event *ev)
{
	ev->id = c->id;
	ev->time_ns = s->time_ns;
	s->fn(s->ctx, ev);
}

static enum dir direction_of(const struct stream *c, unsigned from)
{
	return from == c->local ? DIR_EGRESS : DIR_INGRESS;
}

/*
 * True if s begins with a method token and a space, as requests do (RFC 9112 section 3), or may
 * become it.
 */
static bool is_like_request(struct span s)
{
	size_t n = 0;

	while (n < s.len && n < 24 && ((s.ptr[n] >= 'A' && s.ptr[n] <= 'Z') || s.ptr[n] == '-'))
		n++;
	if (n > 0 && n == s.len)
		return strncmp(s.ptr, "HTTP", n) != 0 || n > 4;
	return n > 0 && n < s.len && s.ptr[n] == ' ';
}

/* Guesses which end is observed, for a connection without handshake; the role stays unknown. */
static unsigned guess_local(const struct streams *s, const struct stream *c, unsigned from,
			    struct span data)
{
	unsigned server;

	if (is_like_request(data))
		server = !from;
	else if (span_starts(data, "HTTP/1."))
		server = from;
	else
		server = c->end[1].port < c->end[0].port;
	return s->options.observes_client ? !server : server;
}

/* Reports OPEN with the starts of the directions, as far as they are known. */
static void emit_open(struct streams *s, struct stream *c, unsigned from, struct span data)
{
	struct event ev = {.kind = EVENT_OPEN};

	if (c->is_open)
		return;
	if (c->role == ROLE_UNKNOWN)
		c->local = guess_local(s, c, from, data);
	ev.open.local = c->end[c->local];
	ev.open.remote = c->end[!c->local];
	ev.open.role = c->role;
	for (unsigned i = 0; i < 2; i++) {
		struct direction *h = &c->direction[i];

		h->has_reported_start = h->seen.is_started;
		ev.open.has_first[direction_of(c, i)] = h->seen.is_started;
		ev.open.first_seq[direction_of(c, i)] = h->seen.first;
	}
	c->is_open = true;
	emit(s, c, &ev);
}

/* Reports DATA without bytes at seq: everything below is decided. */
static void emit_mark(struct streams *s, struct stream *c, unsigned from, uint32_t seq, bool is_fin,
		      bool has_gap)
{
	struct event ev = {.kind = EVENT_DATA};

	ev.data = (struct segment_view){.dir = direction_of(c, from),
					.data = {"", 0},
					.seq = seq,
					.from_seq = seq,
					.to_seq = seq,
					.is_fin = is_fin,
					.has_gap = has_gap};
	emit(s, c, &ev);
}

/* Reports the start of a direction, if OPEN did not contain it. */
static void emit_start(struct streams *s, struct stream *c, unsigned from)
{
	struct direction *h = &c->direction[from];

	if (h->has_reported_start)
		return;
	h->has_reported_start = true;
	emit_mark(s, c, from, h->seen.first, false, false);
}

uint64_t segment_missing(const struct stream *c)
{
	return (uint64_t)seen_gap_bytes(&c->direction[0].seen) +
	       seen_gap_bytes(&c->direction[1].seen);
}

void segment_close(struct streams *s, struct stream *c, bool is_reset)
{
	struct event ev = {.kind = EVENT_CLOSE};

	if (c->is_closed)
		return;
	stream_close(&s->table, c);
	s->stats.bytes_missing += segment_missing(c);
	if (!c->is_open)
		return;
	ev.close.is_reset = is_reset;
	ev.close.bytes[DIR_EGRESS] = c->direction[c->local].bytes;
	ev.close.bytes[DIR_INGRESS] = c->direction[!c->local].bytes;
	ev.close.retransmits = c->direction[c->local].retransmits;
	emit(s, c, &ev);
}

void segment_mute(struct streams *s, struct stream *c)
{
	struct event ev = {.kind = EVENT_MUTE, .mute = SL_MUTE_MPTCP};

	stream_remove_token(&s->table, c);
	if (c->is_closed)
		return;
	stream_close(&s->table, c);
	c->is_muted = true;
	emit(s, c, &ev);
}

/* Reports the in-order offset after bytes were lost or a gap was closed. */
static void emit_floor(struct streams *s, struct stream *c, unsigned from)
{
	struct direction *h = &c->direction[from];

	if (!c->is_open)
		return;
	emit_start(s, c, from);
	emit_mark(s, c, from, seen_floor(&h->seen), false, false);
	if (h->seen.gap_count == 0)
		h->must_report_floor = false;
}

/* Reports the new ranges of data, which begins at seq. is_fin: the direction ends at fin. */
static void emit_new(struct streams *s, struct stream *c, unsigned from, struct span data,
		     uint32_t seq, const struct seen_result *res, bool is_fin, uint32_t fin)
{
	struct direction *h = &c->direction[from];

	for (size_t i = 0; i < res->new_count; i++) {
		struct seq_range n = res->new[i];
		struct event ev = {.kind = EVENT_DATA};

		ev.data.dir = direction_of(c, from);
		ev.data.data = (struct span){data.ptr + (n.from - seq), n.to - n.from};
		ev.data.seq = ev.data.from_seq = n.from;
		ev.data.to_seq = n.to;
		ev.data.has_gap = seq_before(seen_floor(&h->seen), n.from);
		ev.data.is_fin = is_fin && n.to == fin;
		ev.data.peer_seq = s->ack;
		ev.data.has_peer = s->has_ack;
		h->bytes += ev.data.data.len;
		emit(s, c, &ev);
	}
}

static void stream_data(struct streams *s, struct stream *c, unsigned from, const struct packet *p)
{
	struct direction *h = &c->direction[from];
	uint32_t seq = segment_seq(p);
	struct seq_range r = {seq, seq + (uint32_t)p->data.len};
	uint32_t end = segment_end(p);
	bool is_fin = p->flags & PACKET_FIN && !h->has_fin;
	uint32_t floor;
	struct seen_result res;

	if (!h->seen.is_started)
		seen_start(&h->seen, seq);
	/* Nothing can follow a FIN. */
	if (!seen_fits(&h->seen, (struct seq_range){seq, end}) ||
	    (h->has_fin && seq_before(h->fin, end))) {
		s->stats.outside++;
		return;
	}
	if (seq_before(end, h->seen.next))
		is_fin = false;
	floor = seen_floor(&h->seen);
	seen_add(&h->seen, r, &res);
	if (!res.new_count && !seq_before(h->seen.next, end) && !is_fin) {
		if (end != seq) {
			s->stats.retransmitted++;
			h->retransmits++;
		}
		return;
	}
	emit_open(s, c, from, p->data);
	emit_start(s, c, from);
	emit_new(s, c, from, p->data, seq, &res, is_fin, end);
	if (seq_before(h->seen.next, end)) {
		s->stats.bytes_cut += seen_skip(&h->seen, end);
		h->must_report_floor = true;
	}
	if (res.lost_bytes) {
		s->stats.bytes_missing += res.lost_bytes;
		h->must_report_floor = true;
	}
	if (h->must_report_floor && seen_floor(&h->seen) != floor)
		emit_floor(s, c, from);
	if (is_fin) {
		h->has_fin = true;
		h->fin = end;
		if (!res.new_count || res.new[res.new_count - 1].to != end)
			emit_mark(s, c, from, end, true, h->seen.gap_count > 0);
	}
}

/* The end of the bytes that an acknowledgement covers. Returns false if it is invalid. */
static bool acked_bytes(const struct direction *h, uint32_t ack, uint32_t *ret_to, bool *ret_is_fin)
{
	bool is_behind = h->has_fin && seq_before(h->fin, ack);

	if (is_behind && ack != h->fin + 1)
		return false; /* acknowledges bytes that were never sent */
	*ret_to = is_behind ? h->fin : ack;
	*ret_is_fin = is_behind;
	return true;
}

/* Bytes of a direction are lost: they passed and are not in the capture. */
static void stream_lose(struct streams *s, struct stream *c, unsigned from, uint32_t lost)
{
	s->stats.bytes_missing += lost;
	if (lost)
		emit_floor(s, c, from);
}

/* Processes an acknowledgement of the bytes that end `of` sent, up to `ack`. */
static void stream_ack(struct streams *s, struct stream *c, unsigned of, uint32_t ack)
{
	struct direction *h = &c->direction[of];
	bool is_fin;

	if (!acked_bytes(h, ack, &ack, &is_fin))
		return;
	h->is_fin_acked |= is_fin;
	stream_lose(s, c, of, seen_ack(&h->seen, ack));
}

static bool is_rst_possible(const struct direction *h, uint32_t seq)
{
	return !h->seen.is_started || (!seq_before(seq, h->seen.acked) &&
				       (int32_t)(seq - h->seen.next) <= (int32_t)RST_AHEAD_MAX);
}

static bool has_ack(const struct stream *c, const struct packet *p, unsigned from)
{
	return p->flags & PACKET_ACK && (c->direction[!from].seen.is_started || p->data.len);
}

/* Processes a RST: bytes that its sender acknowledged or sent before it have passed. */
static void stream_reset(struct streams *s, struct stream *c, const struct packet *p, unsigned from)
{
	struct direction *h = &c->direction[from];

	if (!is_rst_possible(h, p->seq) && c->is_open) {
		s->stats.outside++;
		return;
	}
	if (has_ack(c, p, from))
		stream_ack(s, c, !from, p->ack);
	if (h->seen.is_started && !h->has_fin && seen_is_missing(&h->seen, p->seq))
		stream_lose(s, c, from, seen_ack(&h->seen, p->seq));
	segment_close(s, c, true);
}

/* Counts a segment of a closed connection; its data is ignored. */
static void count_after_close(struct streams *s, struct stream *c, const struct packet *p,
			      unsigned from)
{
	struct seen *seen = &c->direction[from].seen;
	struct seq_range r = {segment_seq(p), segment_end(p)};
	struct seen_result res;

	if (r.from == r.to)
		return;
	if (!seen->is_started)
		seen_start(seen, r.from);
	if (!seen_fits(seen, r)) {
		s->stats.after_close++;
	} else if (seen_has_new(seen, r)) {
		s->stats.after_close++;
		seen_add(seen, r, &res);
	} else {
		s->stats.retransmitted++;
	}
}

void segment_take(struct streams *s, struct stream *c, const struct packet *p, unsigned from,
		  uint64_t time_ns)
{
	s->time_ns = time_ns;
	s->ack = p->ack;
	s->has_ack = p->flags & PACKET_ACK;
	if (c->is_closed) {
		count_after_close(s, c, p, from);
		return;
	}
	if (p->flags & PACKET_RST) {
		stream_reset(s, c, p, from);
		return;
	}
	if (has_ack(c, p, from))
		stream_ack(s, c, !from, p->ack);
	if (segment_end(p) != segment_seq(p) || p->flags & PACKET_FIN)
		stream_data(s, c, from, p);
	if (c->direction[0].is_fin_acked && c->direction[1].is_fin_acked)
		segment_close(s, c, false);
}

bool segment_must_wait(const struct stream *c, const struct packet *p, unsigned from)
{
	const struct direction *mine = &c->direction[from];
	uint32_t to;
	bool is_fin;

	if (c->is_closed)
		return false;
	if (p->flags & PACKET_ACK && acked_bytes(&c->direction[!from], p->ack, &to, &is_fin) &&
	    seen_is_missing(&c->direction[!from].seen, to))
		return true;
	return p->flags & PACKET_RST && !mine->has_fin && is_rst_possible(mine, p->seq) &&
	       seen_is_missing(&mine->seen, p->seq);
}
