/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a protocol does with the bytes of a connection that speaks it: session.c hands them to the
 * operations of session.protocol.
 *
 *   detection.h       what the connection speaks is not known yet
 *   http1_session.h   HTTP/1
 *   http2_session.h   HTTP/2
 *   protocols.h       those that engine_add_protocol() added
 *
 * A protocol that is added keeps its state of the connection in session.state, charged to
 * conn.memory, makes it when it gets its first bytes, and frees it in end().
 */
#ifndef SIDELIGHT_TXN_PROTOCOL_H
#define SIDELIGHT_TXN_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "flow/conn.h"

struct session;

/* Do the first bytes of a direction belong to a protocol? */
enum detection {
	DETECTION_NO,
	DETECTION_YES,
	DETECTION_MORE, /* they may: to be asked again with more bytes */
};

/* So many bytes must be enough for an answer: with them, DETECTION_MORE counts as no. */
#define PROTOCOL_DETECT_MAX 32

/* The first four as struct bytes_sink has them, end() as struct conn_sink; fin() and end() may be
 * NULL. */
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

	/* Of a protocol that is added. */
	const char *name;
	/* first: the first bytes of the direction, 1 to PROTOCOL_DETECT_MAX of them, whatever the
	 * segments were. conn.role is known. */
	enum detection (*detect)(const struct conn *c, enum dir dir, struct span first);
};

#define PROTOCOLS_MAX 8

/* Those that were added, in order. All zeros: none. */
struct protocols {
	size_t count;
	const struct protocol_ops *ops[PROTOCOLS_MAX];
};

#endif
