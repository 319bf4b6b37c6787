/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The state of one direction of a connection: positions, the flight, and what is known of the next
 * bytes.
 */
#ifndef SIDELIGHT_DIRECTION_BPF_H
#define SIDELIGHT_DIRECTION_BPF_H

#include <stdbool.h>
#include <linux/types.h>

/*
 * Bytes of a flight that are copied before only the ends of writes are: the limit of a head in user
 * space. A flight is the data that one end sends without waiting for the other.
 */
#define FLIGHT_BUDGET (16u << 10)
/* Likewise after the end of a head, if the length of the body is unknown. */
#define BODY_BUDGET (4u << 10)
/*
 * Likewise while messages are pipelined, and their starts are not searched for: more than clients
 * have in flight before a response comes, and half of the ring.
 */
#define PIPELINE_BUDGET (1u << 20)
/*
 * TLS: everything is copied, because records do not show what they contain, but for what user space
 * says is body, which it is asked for after so many bytes of a flight.
 */
#define TLS_BUDGET    (~0u)
#define TLS_ASK_AFTER (128u << 10)
/* Were ingress segments sent out of order, so that the socket has to confirm them? */
enum order {
	ORDER_KEPT,
	ORDER_GAP, /* at least one, behind a sequence gap or a segment that is being sent */
	ORDER_PARSER_BUSY, /* also the last one sent, because another CPU had the frame parser */
};

/* The frame parser of a direction, see parser_lock.bpf.h. */
enum parser_state {
	PARSER_UNUSED, /* not initialised: its memory may be struct scan */
	PARSER_IDLE,
	PARSER_BUSY, /* the program that set this owns the parser */
};

/* The PROXY header before the first byte of a connection, see proxy.bpf.h. */
enum proxy {
	PROXY_NOT_SEEN,
	PROXY_DONE, /* the header has ended, or there is none */
	PROXY_FIRST_BYTES, /* a header of either version may begin with the next byte */
	PROXY_V1, /* inside of what may be a header of version 1 */
	PROXY_V2, /* likewise of version 2, before the end of its length */
	PROXY_V2_ADDRESSES, /* likewise, behind its length */
};

/*
 * One direction of a connection. It is written by the programs of that direction, and by others
 * only when an egress acknowledgement confirms out-of-order ingress bytes (confirm_by_ack()), when
 * HTTP/2 is rejected (parser_state, under st->lock), and at the end of the connection.
 *
 * A segment and its duplicate may be processed on two CPUs at once: one of them moves `next`
 * (move_next()), and has the segment.
 */
struct direction {
	__u64 next; /* in-order offset: the next sequence number, extended beyond 2^32 */
	/*
	 * Bytes from next up to here, extended likewise, are body and need not be copied. After a
	 * 101 of this direction: the sequence number of the first frame of HTTP/2; 0: unknown.
	 */
	__u64 skip_to;
	union {
		__u64 ask_ns; /* time of the last question to user space, SL_F_ASK; 0: never */
		/*
		 * Before HTTP/2 the same bytes hold the state of the PROXY header. Storing
		 * PROXY_DONE in ask_ns ends it and clears its other members; read as a time it is
		 * 1 ns after boot, so the first question is not delayed.
		 */
		struct {
			__u8 proxy; /* enum proxy */
			__u8 proxy_pos; /* bytes of the header that have passed */
			__u16 proxy_left; /* PROXY_V2_ADDRESSES: bytes of the header that follow */
			__u32 proxy_seq; /* sequence number of the next byte of the header */
		};
	};
	__u32 reported_seq; /* bytes before this are reported, or their records were lost */
	__u32 first_seq; /* where the direction begins, or where it was first seen */
	__u32 ack; /* the highest acceptable acknowledgement; it may include a FIN */
	__u32 flight_ack; /* the acknowledgement of the last segment with new data */
	__u32 budget; /* bytes of this flight that may still be copied */
	/* Volume that flush_volume() has not added to the cgroup's counters yet: */
	__u32 bytes_seen;
	__u32 bytes_sent;
	__u16 segments;
	__u16 records;
	bool is_flight_start; /* the next byte to send is the first of a flight */
	bool at_message_start; /* a message starts with the next byte, by the length of the one
				  before */
	union {
		/* HTTP/1: skip_to is set, and the first byte of the body is still to come. */
		bool is_body_expected;
		/* HTTP/2: a question may follow the last one after ASK_LEAST_NS << ask_backoff. */
		__u8 ask_backoff;
	};
	bool is_finished; /* its FIN was seen in sequence */
	union {
		struct {
			union {
				/* HTTP/2, never synchronised: frames began before this process, see
				   frame_sync.bpf.h */
				bool is_unsynced;
				/* HTTP/1, requests: one followed another without waiting, so that a
				   flight may begin anywhere. Never reset */
				bool is_pipelined;
			};
			__u8 parser_state; /* enum parser_state */
			__u8 order; /* enum order */
			__u8 busy; /* ingress_busy() */
		};
		__u32 busy_word; /* the same bytes: `busy` is changed by atomic additions to it */
	};
};

#define BUSY_ONE (1u << 24) /* of busy_word */

#endif
