/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a TCP segment of a capture file into events. streams.c calls it in the order in which
 * segments passed.
 */
#ifndef SIDELIGHT_CAPTURE_SEGMENT_H
#define SIDELIGHT_CAPTURE_SEGMENT_H

#include "capture/stream.h"
#include "capture/streams.h"

struct streams {
	struct streams_options options;
	struct streams_stats stats;
	struct stream_table table;
	/* Of the current packet. */
	uint64_t time_ns;
	uint32_t ack; /* valid if has_ack */
	bool has_ack;
	event_fn fn;
	void *ctx;
};

/* A SYN occupies one sequence number; data may come with it (RFC 7413). */
static inline uint32_t segment_seq(const struct packet *p)
{
	return p->flags & PACKET_SYN ? p->seq + 1 : p->seq;
}

static inline uint32_t segment_end(const struct packet *p)
{
	return segment_seq(p) + (uint32_t)p->data.len + p->cut_bytes;
}

/* Reports the events of p, which end `from` of c sent. */
void segment_take(struct streams *s, struct stream *c, const struct packet *p, unsigned from,
		  uint64_t time_ns);

/*
 * True if p shows that earlier bytes passed which the capture may still contain (an
 * acknowledgement, or the sequence number of a RST).
 */
bool segment_must_wait(const struct stream *c, const struct packet *p, unsigned from);

/* Closes the connection, if it is open. Its missing bytes are lost. */
void segment_close(struct streams *s, struct stream *c, bool is_reset);

/* Mutes c, a subflow of an MPTCP connection with several: its packets are ignored from now on. */
void segment_mute(struct streams *s, struct stream *c);

/* The bytes of c that are missing so far. */
uint64_t segment_missing(const struct stream *c);

#endif
