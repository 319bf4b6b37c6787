/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a protocol does with the bytes of a connection that speaks it: session.c hands them to the
 * operations of session.protocol.
 *
 *   detection.h       what the connection speaks is not known yet
 *   http1_session.h   HTTP/1
 *   http2_session.h   HTTP/2
 */
#ifndef SIDELIGHT_TXN_PROTOCOL_H
#define SIDELIGHT_TXN_PROTOCOL_H

#include <stdint.h>

#include "flow/conn.h"

struct session;

/* The first four as struct bytes_sink has them, the last one as struct conn_sink; the last two may
 * be NULL. */
struct protocol_ops {
	void (*data)(struct conn *c, struct session *s, enum dir dir,
		     const struct segment_view *view, uint64_t time_ns);
	void (*skip)(struct conn *c, struct session *s, enum dir dir,
		     const struct segment_view *view, uint32_t len, uint64_t time_ns);
	/* Also counts engine_stats.bytes_lost_framing. */
	void (*lost)(struct conn *c, struct session *s, enum dir dir,
		     const struct segment_view *view, uint32_t len, uint64_t time_ns);
	void (*fin)(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns);
	void (*end)(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns);
};

#endif
