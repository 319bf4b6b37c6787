/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/streams.h"

#include <stdlib.h>
#include <string.h>

#include "capture/stream.h"

/*
 * A RST counts if it could have been sent: not below what the receiver has
 * acknowledged, and not further ahead than a few windows that the capture may
 * have missed. Forged ones rarely meet this (RFC 5961 section 3 is stricter).
 */
#define RST_AHEAD_MAX (4u << 20)

struct streams {
	struct streams_options options;
	struct streams_stats stats;
	struct stream_table table;
	/* of the packet at hand */
	uint64_t time_ns;
	event_fn fn;
	void *ctx;
};

static void emit(struct streams *s, struct stream *c, struct event *ev)
{
	ev->id = c->id;
	ev->time_ns = s->time_ns;
	s->fn(s->ctx, ev);
}

static enum dir half_dir(const struct stream *c, unsigned from)
{
	return from == c->local ? DIR_EGRESS : DIR_INGRESS;
}

/* A method token and a space, as requests begin (RFC 9112 section 3), or what may become it. */
static bool is_like_request(struct span s)
{
	size_t n = 0;

	while (n < s.len && n < 24 && ((s.ptr[n] >= 'A' && s.ptr[n] <= 'Z') || s.ptr[n] == '-'))
		n++;
	if (n > 0 && n == s.len)
		return strncmp(s.ptr, "HTTP", n) != 0 || n > 4;
	return n > 0 && n < s.len && s.ptr[n] == ' ';
}

/* The handshake was not captured: which end is observed is a guess, and labelled so. */
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

static void stream_set_role(const struct streams *s, struct stream *c, unsigned server)
{
	c->local = s->options.observes_client ? !server : server;
	c->role = s->options.observes_client ? ROLE_CLIENT : ROLE_SERVER;
}

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
	c->is_open = true;
	emit(s, c, &ev);
}

/* A piece without bytes at seq, for what it says about everything below. */
static void emit_mark(struct streams *s, struct stream *c, unsigned from, uint32_t seq, bool is_fin,
		      bool has_hole)
{
	struct event ev = {.kind = EVENT_DATA};

	ev.data = (struct event_data){.dir = half_dir(c, from),
				      .data = {"", 0},
				      .seq = seq,
				      .from_seq = seq,
				      .to_seq = seq,
				      .is_fin = is_fin,
				      .has_hole = has_hole};
	c->half[from].has_begun = true;
	emit(s, c, &ev);
}

static void emit_close(struct streams *s, struct stream *c, bool is_reset)
{
	struct event ev = {.kind = EVENT_CLOSE};

	if (c->is_closed)
		return;
	stream_close(&s->table, c);
	if (!c->is_open)
		return;
	ev.close.is_reset = is_reset;
	ev.close.bytes[DIR_EGRESS] = c->half[c->local].bytes;
	ev.close.bytes[DIR_INGRESS] = c->half[!c->local].bytes;
	ev.close.retransmits = c->half[c->local].retransmits;
	emit(s, c, &ev);
}

/* Tells what is decided after bytes were lost, or what was owed when a hole closed. */
static void settle(struct streams *s, struct stream *c, unsigned from)
{
	struct half *h = &c->half[from];

	if (!c->is_open)
		return;
	emit_mark(s, c, from, seen_floor(&h->seen), false, false);
	if (h->seen.hole_count == 0)
		h->owes_floor = false;
}

static struct stream *stream_new(struct streams *s, const struct packet *p,
				 const struct stream_key *key, unsigned from)
{
	struct stream *c = stream_add(&s->table, p, key, from);

	if (c)
		s->stats.conns++;
	else
		s->stats.memory_failed++;
	return c;
}

/* The same ends connect anew: what was open between them is over. */
static struct stream *stream_replace(struct streams *s, struct stream *c, const struct packet *p,
				     const struct stream_key *key, unsigned from)
{
	emit_close(s, c, false);
	stream_remove(&s->table, c);
	return stream_new(s, p, key, from);
}

/* Does this SYN, with a number of its own, start another connection than c? */
static bool is_replaced_by(const struct stream *c, const struct packet *p, unsigned from)
{
	const struct half *mine = &c->half[from];
	const struct half *peer = &c->half[!from];

	if (c->is_closed || mine->has_isn)
		return true;
	if (mine->seen.is_started && mine->seen.next != p->seq + 1)
		return true;
	if (p->flags & PACKET_ACK) /* of the SYN, and of data that came with it */
		return peer->has_isn &&
		       (!seq_before(peer->isn, p->ack) || seq_before(peer->seen.next, p->ack));
	return peer->seen.is_started && !peer->has_isn;
}

/*
 * Looks at the handshake. Returns the connection that the packet belongs to,
 * which is new if c is NULL or belongs to an older use of the same ends.
 */
static struct stream *stream_handshake(struct streams *s, struct stream *c, const struct packet *p,
				       const struct stream_key *key, unsigned from)
{
	bool is_answer = p->flags & PACKET_ACK;
	struct half *h;

	if (c && c->half[from].has_isn && c->half[from].isn == p->seq)
		return c;
	if (c && is_replaced_by(c, p, from))
		c = stream_replace(s, c, p, key, from);
	else if (!c)
		c = stream_new(s, p, key, from);
	if (!c)
		return NULL;
	h = &c->half[from];
	h->has_isn = true;
	h->isn = p->seq;
	seen_start(&h->seen, p->seq + 1);
	if (is_answer && !c->half[!from].seen.is_started)
		seen_start(&c->half[!from].seen, p->ack);
	stream_set_role(s, c, is_answer ? from : !from);
	return c;
}

/* data begins at seq; fin is where the direction ends, if is_fin. */
static void emit_new(struct streams *s, struct stream *c, unsigned from, struct span data,
		     uint32_t seq, const struct seen_result *res, bool is_fin, uint32_t fin)
{
	struct half *h = &c->half[from];

	for (size_t i = 0; i < res->new_count; i++) {
		struct seq_range n = res->new[i];
		struct event ev = {.kind = EVENT_DATA};

		ev.data.dir = half_dir(c, from);
		ev.data.data = (struct span){data.ptr + (n.from - seq), n.to - n.from};
		ev.data.seq = ev.data.from_seq = n.from;
		ev.data.to_seq = n.to;
		ev.data.has_hole = seq_before(seen_floor(&h->seen), n.from);
		ev.data.is_fin = is_fin && n.to == fin;
		h->has_begun = true;
		h->bytes += ev.data.data.len;
		emit(s, c, &ev);
	}
}

static void stream_data(struct streams *s, struct stream *c, unsigned from, const struct packet *p,
			uint32_t seq)
{
	struct half *h = &c->half[from];
	struct seq_range r = {seq, seq + (uint32_t)p->data.len};
	uint32_t end = r.to + p->cut_bytes;
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
	/* Whoever puts the direction in order must know where it began. */
	if (!h->has_begun && floor != seq)
		emit_mark(s, c, from, floor, false, false);
	emit_new(s, c, from, p->data, seq, &res, is_fin, end);
	if (seq_before(h->seen.next, end)) {
		s->stats.bytes_cut += seen_cut(&h->seen, end);
		h->owes_floor = true;
	}
	if (res.lost_bytes) {
		s->stats.bytes_missing += res.lost_bytes;
		h->owes_floor = true;
	}
	if (h->owes_floor && seen_floor(&h->seen) != floor)
		settle(s, c, from);
	if (is_fin) {
		h->has_fin = true;
		h->fin = end;
		if (!res.new_count || res.new[res.new_count - 1].to != end)
			emit_mark(s, c, from, end, true, h->seen.hole_count > 0);
	}
}

/* The other end has received what end `of` sent, up to `ack`. */
static void stream_ack(struct streams *s, struct stream *c, unsigned of, uint32_t ack)
{
	struct half *h = &c->half[of];
	uint32_t lost;

	if (h->has_fin && seq_before(h->fin, ack)) {
		if (ack != h->fin + 1)
			return; /* of something that was never sent */
		h->is_fin_acked = true;
		ack = h->fin;
	}
	lost = seen_ack(&h->seen, ack);
	if (lost) {
		s->stats.bytes_missing += lost;
		settle(s, c, of);
	}
}

static bool is_rst_possible(const struct half *h, uint32_t seq)
{
	return !h->seen.is_started || (!seq_before(seq, h->seen.acked) &&
				       (int32_t)(seq - h->seen.next) <= (int32_t)RST_AHEAD_MAX);
}

void streams_packet(struct streams *s, const struct packet *p, uint64_t time_ns, event_fn fn,
		    void *ctx)
{
	bool is_segment = p->data.len || p->cut_bytes || p->flags & (PACKET_FIN | PACKET_RST);
	struct stream_key key;
	struct stream *c;
	unsigned from = stream_key(p, &key);
	uint32_t seq = p->seq;

	s->time_ns = time_ns;
	s->fn = fn;
	s->ctx = ctx;
	s->stats.segments += is_segment;
	c = stream_find(&s->table, &key);
	if (p->flags & PACKET_SYN && !(p->flags & (PACKET_RST | PACKET_FIN))) {
		c = stream_handshake(s, c, p, &key, from);
		seq++; /* the SYN takes a number; data may come with it (RFC 7413) */
	}
	if (!c) {
		/* Joined later: only data tells something. */
		if (p->flags & (PACKET_RST | PACKET_SYN) || !p->data.len)
			return;
		c = stream_new(s, p, &key, from);
		if (!c)
			return;
	}
	if (c->is_closed) {
		s->stats.after_close += is_segment;
		return;
	}
	stream_touch(&s->table, c);
	if (p->flags & PACKET_RST) {
		if (is_rst_possible(&c->half[from], p->seq) || !c->is_open)
			emit_close(s, c, true);
		else
			s->stats.outside++;
		return;
	}
	if (p->flags & PACKET_ACK && (c->half[!from].seen.is_started || p->data.len))
		stream_ack(s, c, !from, p->ack);
	if (p->data.len || p->cut_bytes || p->flags & PACKET_FIN)
		stream_data(s, c, from, p, seq);
	if (c->half[0].is_fin_acked && c->half[1].is_fin_acked)
		emit_close(s, c, false);
}

void streams_end(struct streams *s, uint64_t time_ns, event_fn fn, void *ctx)
{
	struct stream *c;
	struct stream *next;

	s->time_ns = time_ns;
	s->fn = fn;
	s->ctx = ctx;
	for (c = s->table.live; c; c = next) {
		next = c->next; /* closing moves c to the other list */
		if (c->half[0].has_fin && c->half[1].has_fin)
			emit_close(s, c, false);
	}
}

struct streams *streams_new(const struct streams_options *options)
{
	struct streams *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *options;
	stream_table_init(&s->table, options->conn_cap);
	return s;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	stream_table_release(&s->table);
	free(s);
}

const struct streams_stats *streams_stats(struct streams *s)
{
	s->stats.conns_evicted = s->table.evicted;
	return &s->stats;
}
