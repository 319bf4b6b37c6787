/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the TCP connections of a capture file. Input: packets. Output: events.
 *
 * One end of every connection is observed: the server (the receiver of the SYN), or the client on
 * request. If the capture does not contain the handshake, the role is unknown, and the server is
 * guessed: the receiver of a request, else the end with the lower port.
 *
 * Events obey the rules of capture/event.h, as those of the BPF programs do:
 *   - OPEN comes before the first data, so handshakes alone cause no events;
 *   - every byte is reported once: retransmissions, keep-alive probes and packets captured
 *     twice are dropped by sequence number;
 *   - DATA without has_gap and without bytes means that bytes below it which were not
 *     reported are lost;
 *   - a packet that acknowledges bytes which the capture does not contain yet is queued for a
 *     short time (reorder_queue.h), with all later packets of its connection;
 *   - CLOSE comes with RST, when both FINs are acknowledged, or when the address pair is used
 *     again. A connection that is open at the end of the capture gets no CLOSE.
 *
 * A closed connection stays in the table, so that its late packets do not start a new one.
 */
#ifndef SIDELIGHT_CAPTURE_STREAMS_H
#define SIDELIGHT_CAPTURE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"
#include "capture/packet.h"

struct streams;

struct streams_options {
	/*
	 * The maximum number of entries. Beyond it the oldest closed entry is removed, else the
	 * longest idle one, which may return as a connection of unknown role.
	 */
	size_t conn_cap;
	bool observes_client;
};

struct streams_stats {
	uint64_t conns; /* connections with data or a handshake */
	uint64_t conns_evicted; /* evicted while open */
	uint64_t segments; /* with payload, FIN or RST */
	uint64_t retransmitted; /* of those: without new bytes */
	uint64_t outside; /* of those: outside of the receive window */
	uint64_t after_close; /* of those: with new data after the close */
	uint64_t bytes_cut; /* payload beyond the snapshot length */
	uint64_t bytes_missing; /* bytes that passed, or are expected, and are not in the capture */
	uint64_t memory_failed; /* packets dropped because there was no memory */
};

/* Returns NULL if there is no memory. */
struct streams *streams_new(const struct streams_options *options);
/* Accepts NULL. */
void streams_free(struct streams *s);

/*
 * Processes one packet; calls fn zero or more times. time_ns never decreases; times of events may,
 * but not within one connection.
 */
void streams_packet(struct streams *s, const struct packet *p, uint64_t time_ns, event_fn fn,
		    void *ctx);

/* Processes all queued packets, because no packet will follow soon. */
void streams_flush(struct streams *s, event_fn fn, void *ctx);

/* The capture has ended: closes connections that both ends finished. */
void streams_end(struct streams *s, uint64_t time_ns, event_fn fn, void *ctx);

const struct streams_stats *streams_stats(struct streams *s);

#endif
