/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked view of one thing that happened on one connection, whichever
 * source saw it. Borrowed: valid during the callback that hands it out.
 *
 * Directions are those of the observed side: ingress is what it received.
 * Sequence numbers are TCP's, modulo 2^32, with the SYN already counted.
 */
#ifndef SIDELIGHT_CAPTURE_EVENT_H
#define SIDELIGHT_CAPTURE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/span.h"

enum event_kind { EVENT_OPEN, EVENT_DATA, EVENT_CLOSE, EVENT_MUTE };

enum dir { DIR_INGRESS = 0, DIR_EGRESS = 1 };

static inline enum dir dir_other(enum dir dir)
{
	return dir == DIR_INGRESS ? DIR_EGRESS : DIR_INGRESS;
}

enum role { ROLE_UNKNOWN = 0, ROLE_SERVER = 1, ROLE_CLIENT = 2 };

struct event_open {
	struct endpoint local;
	struct endpoint remote;
	enum role role;
	uint64_t container; /* of the target that the socket belongs to */
	bool is_early; /* the socket itself does not exist yet: OPEN comes again with it */
	uint32_t first_seq[2]; /* by enum dir: of the stream's first byte; valid if has_first */
	bool has_first[2];
};

/*
 * A run of bytes of one direction, and what is known of the segment that they came in.
 * from_seq <= seq <= seq + data.len <= to_seq. The bytes of
 * [from_seq, seq) and [seq + data.len, to_seq) passed, are body bytes, and
 * were not copied.
 */
struct segment_view {
	enum dir dir;
	struct span data;
	/* These six in the order of struct sl_data (bpf/event.h): copied as one. */
	uint32_t seq;
	uint32_t from_seq;
	uint32_t to_seq;
	uint32_t peer_seq; /* what its sender had of the other one, in order; valid if has_peer */
	uint32_t tid; /* egress: thread that wrote; 0 unknown */
	uint32_t tgid;
	bool has_peer;
	bool is_fin; /* the direction ends after to_seq */
	bool has_hole; /* bytes below from_seq are still to come */
	bool is_ahead; /* likewise, or this will never be part of the stream (flow/ahead.h) */
	bool is_frame; /* data starts an HTTP/2 frame, or the preface: for certain */
	bool asks; /* the source wants to know where the first frame at seq or behind it starts */
	bool is_rest; /* not from a source: see flow/segment_view.h */
};

struct event_close {
	bool is_reset;
	uint64_t bytes[2]; /* by enum dir */
	uint32_t to_seq[2]; /* likewise: end of what was seen; valid if has_end */
	uint32_t told_seq[2]; /* likewise: what pieces told of ends there; the rest is body */
	bool has_end;
	uint32_t srtt_us; /* 0 unknown */
	uint32_t retransmits;
};

struct event {
	enum event_kind kind;
	uint64_t time_ns; /* of one clock for all events of a source; monotonic per connection */
	uint64_t id; /* of the connection */
	union {
		struct event_open open;
		struct segment_view data;
		struct event_close close;
		unsigned mute; /* enum sl_mute of bpf/event.h */
	};
};

/* Receives events in the order in which the source saw them. */
typedef void (*event_fn)(void *ctx, const struct event *ev);

#endif
