/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections of a capture: packets in, events out.
 *
 * The observed side is one end of every connection: the server (who received
 * the SYN), or the client on request. Where the handshake is not in the
 * capture, the role is unknown, and the likely server is taken: who is sent
 * something like a request, else who has the lower port.
 *
 * Events obey the rules of capture/event.h, as those of the kernel do:
 *   - OPEN comes before the first data, so handshakes alone give no events;
 *   - every byte is handed out once: retransmissions, keep-alive probes and
 *     packets captured twice are dropped by sequence number;
 *   - DATA without a hole and without bytes says that everything below is
 *     decided: what was not handed out until then is lost;
 *   - a packet that acknowledges bytes which the capture does not show yet waits for
 *     them in a small reordering window (held.h), and all later ones of its connection
 *     behind it;
 *   - CLOSE comes with RST, when both FINs are acknowledged, or when the
 *     address pair is used again. What is open at the end of the capture gets
 *     none: nobody knows how it went on.
 *
 * A closed connection stays in the table, so that its late packets are not
 * taken for a new one.
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
	/* Entries at once; beyond it the oldest closed one goes, then the longest
	 * idle, which may come back as a connection of unknown role. */
	size_t conn_cap;
	bool observes_client;
};

struct streams_stats {
	uint64_t conns; /* with data or a handshake */
	uint64_t conns_evicted; /* while open */
	uint64_t segments; /* with payload, FIN or RST */
	uint64_t retransmitted; /* of those: nothing new in them */
	uint64_t outside; /* of those: sequence number outside of any window */
	uint64_t after_close; /* of those: with new data, on a connection that is closed */
	uint64_t bytes_cut; /* payload beyond the snapshot length */
	uint64_t bytes_missing; /* they passed, or are expected, and are not in the capture */
	uint64_t memory_failed; /* packets dropped for want of memory */
};

/* NULL: no memory. */
struct streams *streams_new(const struct streams_options *options);
/* Accepts NULL. */
void streams_free(struct streams *s);

/*
 * fn is called zero or more times before return. time_ns never goes back; the times of events
 * may, but not those of one connection.
 */
void streams_packet(struct streams *s, const struct packet *p, uint64_t time_ns, event_fn fn,
		    void *ctx);

/* What waits in the reordering window goes its way: nothing follows soon. */
void streams_settle(struct streams *s, event_fn fn, void *ctx);

/* The capture is over: connections that both sides ended are closed. */
void streams_end(struct streams *s, uint64_t time_ns, event_fn fn, void *ctx);

const struct streams_stats *streams_stats(struct streams *s);

#endif
