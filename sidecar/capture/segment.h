/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TCP segment of a connection of a capture, and the events that it makes.
 * For streams.c, which hands them in in the order in which they passed.
 */
#ifndef SIDELIGHT_CAPTURE_SEGMENT_H
#define SIDELIGHT_CAPTURE_SEGMENT_H

#include "capture/stream.h"
#include "capture/streams.h"

struct streams {
	struct streams_options options;
	struct streams_stats stats;
	struct stream_table table;
	/* of the packet at hand */
	uint64_t time_ns;
	uint32_t ack; /* valid if has_ack */
	bool has_ack;
	event_fn fn;
	void *ctx;
};

/* The SYN takes a number; data may come with it (RFC 7413). */
static inline uint32_t segment_seq(const struct packet *p)
{
	return p->flags & PACKET_SYN ? p->seq + 1 : p->seq;
}

static inline uint32_t segment_end(const struct packet *p)
{
	return segment_seq(p) + (uint32_t)p->data.len + p->cut_bytes;
}

/* Events of p, which end `from` of c sent. */
void segment_take(struct streams *s, struct stream *c, const struct packet *p, unsigned from,
		  uint64_t time_ns);

/* Does p tell of bytes that passed before it, and that the capture may still show? */
bool segment_is_early(const struct stream *c, const struct packet *p, unsigned from);

/* The connection is over, if it is not already. Bytes that it lacks are lost. */
void segment_close(struct streams *s, struct stream *c, bool is_reset);

/* Mutes c, a subflow of an MPTCP connection with several: its packets are ignored from now on. */
void segment_mute(struct streams *s, struct stream *c);

/* Bytes of c that may still come. */
uint64_t segment_missing(const struct stream *c);

#endif
