/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event of one connection, validated, in the same form from every source. Borrowed: valid during
 * the callback.
 *
 * Directions are those of the observed end: ingress is what it receives. Sequence numbers are
 * TCP's, modulo 2^32; the SYN is counted already.
 */
#ifndef SIDELIGHT_CAPTURE_EVENT_H
#define SIDELIGHT_CAPTURE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/span.h"

enum event_kind { EVENT_OPEN, EVENT_DATA, EVENT_CLOSE, EVENT_MUTE, EVENT_READ };

enum dir { DIR_INGRESS = 0, DIR_EGRESS = 1 };

static inline enum dir dir_other(enum dir dir)
{
	return dir == DIR_INGRESS ? DIR_EGRESS : DIR_INGRESS;
}

enum role { ROLE_UNKNOWN = 0, ROLE_SERVER = 1, ROLE_CLIENT = 2 };

/* The direction of requests, seen from the observed end. ROLE_UNKNOWN counts as a server. */
static inline enum dir request_dir(enum role role)
{
	return role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;
}

struct event_open {
	struct endpoint local;
	struct endpoint remote;
	enum role role;
	uint64_t container; /* of the target that owns the socket */
	bool is_early; /* seen with the listener's socket: OPEN comes again with the child socket */
	uint32_t first_seq[2]; /* by enum dir: of the stream's first byte; valid if has_first */
	bool has_first[2];
};

/*
 * A range of one direction that one record reports: a part of a TCP segment, or many segments, of
 * which data is the part that was copied. from_seq <= seq <= seq + data.len <= to_seq. The bytes of
 * [from_seq, seq) and [seq + data.len, to_seq) passed and were not copied: they are body, HTTP/2
 * frames that are not needed, or bytes behind a spent budget (bpf/README.md).
 */
struct segment_view {
	enum dir dir;
	struct span data;
	/* These six have the order of struct sl_data (bpf/event.h): copied as one. */
	uint32_t seq;
	uint32_t from_seq;
	uint32_t to_seq;
	/* The sender's in-order offset in the other direction; valid if has_peer. */
	uint32_t peer_seq;
	uint32_t tid; /* egress: thread that wrote; 0 unknown */
	uint32_t tgid;
	bool has_peer;
	bool is_fin; /* the direction ends after to_seq */
	/*
	 * Bytes below from_seq are still to come, and this segment is part of the stream: capture
	 * files, and data that comes before the child socket exists.
	 */
	bool has_gap;
	/*
	 * Bytes below from_seq may still come, but the socket may never accept this segment
	 * (SL_F_OUT_OF_ORDER, flow/ahead.h).
	 */
	bool is_ahead;
	bool is_frame; /* data certainly starts an HTTP/2 frame, or the preface */
	/* The source requests the position of the first frame start at or after seq. */
	bool wants_frame_start;
	bool is_derived; /* not exactly what the source delivered: see flow/segment_view.h */
};

struct event_close {
	bool is_reset;
	uint64_t bytes[2]; /* by enum dir */
	/* likewise: end of the stream as far as it was seen; valid if has_end */
	uint32_t to_seq[2];
	/* likewise: end of the reported bytes; the rest passed and was not copied */
	uint32_t reported_seq[2];
	bool has_end;
	uint32_t srtt_us; /* 0: not known */
	uint32_t retransmits;
};

/* The program has read the ingress bytes from from_seq to to_seq. */
struct event_read {
	uint32_t from_seq;
	uint32_t to_seq;
};

struct event {
	enum event_kind kind;
	uint64_t time_ns; /* one clock for all events of a source; monotonic per connection */
	uint64_t id; /* of the connection */
	union {
		struct event_open open;
		struct segment_view data;
		struct event_close close;
		unsigned mute; /* enum sl_mute of bpf/event.h */
		struct event_read read;
	};
};

/* Receives events in the order in which the source saw them. */
typedef void (*event_fn)(void *ctx, const struct event *ev);

#endif
