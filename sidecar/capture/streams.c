/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/streams.h"

#include <stdlib.h>

#include "capture/segment.h"

static void stream_set_role(const struct streams *s, struct stream *c, unsigned server)
{
	c->local = s->options.observes_client ? !server : server;
	c->role = s->options.observes_client ? ROLE_CLIENT : ROLE_SERVER;
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

/* The same address pair connects again: closes the old connection. */
static struct stream *stream_replace(struct streams *s, struct stream *c, const struct packet *p,
				     const struct stream_key *key, unsigned from)
{
	segment_close(s, c, false);
	stream_remove(&s->table, c);
	return stream_new(s, p, key, from);
}

/* True if this SYN, which has a new sequence number, starts another connection than c. */
static bool is_replaced_by(const struct stream *c, const struct packet *p, unsigned from)
{
	const struct direction *mine = &c->direction[from];
	const struct direction *peer = &c->direction[!from];

	if (c->is_muted) /* its segments after the SYN were not looked at */
		return mine->has_isn || !(p->flags & PACKET_ACK) || !peer->has_isn ||
		       p->ack != peer->isn + 1;
	if (c->is_closed || mine->has_isn)
		return true;
	if (mine->seen.is_started && mine->seen.next != p->seq + 1)
		return true;
	if (p->flags & PACKET_ACK) /* acknowledges the SYN, and data that came with it */
		return peer->has_isn &&
		       (!seq_before(peer->isn, p->ack) || seq_before(peer->seen.next, p->ack));
	return peer->seen.is_started && !peer->has_isn;
}

/*
 * Processes a packet of the handshake. Returns its connection, which is new if c is NULL or belongs
 * to an older use of the address pair.
 */
static struct stream *stream_handshake(struct streams *s, struct stream *c, const struct packet *p,
				       const struct stream_key *key, unsigned from)
{
	bool is_answer = p->flags & PACKET_ACK;
	struct direction *h;

	if (c && c->direction[from].has_isn && c->direction[from].isn == p->seq)
		return c;
	if (c && is_replaced_by(c, p, from))
		c = stream_replace(s, c, p, key, from);
	else if (!c)
		c = stream_new(s, p, key, from);
	if (!c)
		return NULL;
	h = &c->direction[from];
	h->has_isn = true;
	h->isn = p->seq;
	seen_start(&h->seen, p->seq + 1);
	if (is_answer && !c->direction[!from].seen.is_started)
		seen_start(&c->direction[!from].seen, p->ack);
	stream_set_role(s, c, is_answer ? from : !from);
	return c;
}

/* True if a queued packet of c waits for the bytes of p. */
static bool is_awaited(const struct stream *c, const struct packet *p, unsigned from)
{
	struct seq_range r = {segment_seq(p), segment_end(p)};
	const struct seen *seen = &c->direction[from].seen;

	if (r.from == r.to || !seen->is_started || !seen_fits(seen, r) || !seen_has_new(seen, r))
		return false;
	for (const struct queued_packet *h = c->queue.first; h; h = h->next) {
		bool is_mine = h->from == from;

		if (h->packet.flags & (is_mine ? PACKET_RST : PACKET_ACK) &&
		    seq_before(r.from, is_mine ? h->packet.seq : h->packet.ack))
			return true;
	}
	return false;
}

/* Processes queued packets: at least `count`, and all that don't have to wait any more. */
static void stream_resume(struct streams *s, struct stream *c, unsigned count)
{
	struct queued_packet *h;

	while (c->queue.first &&
	       (count || !segment_must_wait(c, &c->queue.first->packet, c->queue.first->from))) {
		h = stream_dequeue(&s->table, c);
		count -= count > 0;
		segment_take(s, c, &h->packet, h->from, h->time_ns);
		queued_packet_free(h, &s->table.queued_bytes);
	}
}

/*
 * Processes a packet of a connection that has queued packets, or a packet that has to wait itself.
 */
static void stream_reorder(struct streams *s, struct stream *c, const struct packet *p,
			   unsigned from, uint64_t time_ns)
{
	struct packet late = *p;

	if (c->queue.first && is_awaited(c, p, from)) {
		/* It passed before the queued packet that waits for it. */
		if (segment_must_wait(c, p, from))
			late.flags &= (uint8_t)~PACKET_ACK;
		segment_take(s, c, &late, from, c->queue.first->time_ns);
		stream_resume(s, c, 0);
		return;
	}
	if (!stream_enqueue(&s->table, c, p, from, time_ns)) {
		stream_resume(s, c, REORDER_PACKETS_MAX);
		segment_take(s, c, p, from, time_ns);
		return;
	}
	if (reorder_queue_is_due(&c->queue, time_ns))
		stream_resume(s, c, 1);
}

/* The connection of p, created if necessary. Returns NULL if p belongs to none and starts none. */
static struct stream *stream_of(struct streams *s, const struct packet *p, unsigned from,
				const struct stream_key *key)
{
	struct stream *c = stream_find(&s->table, key);

	if (p->flags & PACKET_SYN && !(p->flags & (PACKET_RST | PACKET_FIN))) {
		if (c)
			stream_resume(s, c, REORDER_PACKETS_MAX);
		return stream_handshake(s, c, p, key, from);
	}
	/* The handshake is not in the capture: the connection starts with the first data. */
	if (!c && p->data.len && !(p->flags & (PACKET_RST | PACKET_SYN)))
		c = stream_new(s, p, key, from);
	return c;
}

static void mute(struct streams *s, struct stream *c, uint64_t time_ns)
{
	stream_resume(s, c, REORDER_PACKETS_MAX);
	s->time_ns = time_ns;
	segment_mute(s, c);
}

/*
 * Takes the MPTCP option of a packet. If an MPTCP connection has several subflows, each of them
 * carries only a part of the stream, so all are muted. The SYN of an additional subflow passes
 * before that subflow carries data. A connection whose handshake is not in the capture may have
 * several.
 */
static void take_mptcp(struct streams *s, struct stream *c, const struct packet *p,
		       uint64_t time_ns)
{
	struct stream *first;

	switch (p->mptcp.kind) {
	case MPTCP_NONE:
	case MPTCP_CAPABLE_SYN:
		return;
	case MPTCP_CAPABLE_KEY:
		if (!c->is_closed && !stream_add_token(&s->table, c, p->mptcp.token))
			mute(s, c, time_ns);
		return;
	case MPTCP_JOIN_SYN:
		while ((first = stream_find_token(&s->table, p->mptcp.token)))
			mute(s, first, time_ns);
		mute(s, c, time_ns);
		return;
	case MPTCP_JOIN_OTHER:
		mute(s, c, time_ns);
		return;
	case MPTCP_OTHER:
		if (!c->has_token)
			mute(s, c, time_ns);
		return;
	}
}

void streams_packet(struct streams *s, const struct packet *p, uint64_t time_ns, event_fn fn,
		    void *ctx)
{
	struct stream_key key;
	struct stream *c;
	unsigned from = stream_key(p, &key);

	s->fn = fn;
	s->ctx = ctx;
	s->stats.segments += p->data.len || p->cut_bytes || p->flags & (PACKET_FIN | PACKET_RST);
	while (s->table.queued && reorder_queue_is_due(&s->table.queued->queue, time_ns))
		stream_resume(s, s->table.queued, 1);
	s->time_ns = time_ns;
	c = stream_of(s, p, from, &key);
	if (!c)
		return;
	if (p->mptcp.kind != MPTCP_NONE)
		take_mptcp(s, c, p, time_ns);
	if (c->is_muted)
		return;
	if (!c->is_closed)
		stream_touch(&s->table, c);
	if (c->queue.first || segment_must_wait(c, p, from))
		stream_reorder(s, c, p, from, time_ns);
	else
		segment_take(s, c, p, from, time_ns);
}

void streams_flush(struct streams *s, event_fn fn, void *ctx)
{
	s->fn = fn;
	s->ctx = ctx;
	while (s->table.queued)
		stream_resume(s, s->table.queued, REORDER_PACKETS_MAX);
}

void streams_end(struct streams *s, uint64_t time_ns, event_fn fn, void *ctx)
{
	struct stream *c;
	struct stream *next;

	streams_flush(s, fn, ctx);
	s->time_ns = time_ns;
	for (c = s->table.live; c; c = next) {
		next = c->next; /* closing moves c to the other list */
		if (c->direction[0].has_fin && c->direction[1].has_fin)
			segment_close(s, c, false);
		else
			s->stats.bytes_missing += segment_missing(c);
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
