/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of a protocol. session.c passes the bytes of a connection to those of
 * session.protocol.
 *
 *   detection.h       the protocol is not known yet
 *   preface.h         HTTP/2 whose server has not sent a byte
 *   http1_session.h   HTTP/1
 *   http2_session.h   HTTP/2
 *   protocols.h       protocols that engine_add_protocol() added
 *
 * An added protocol stores its state of the connection in session.state, allocates it with
 * conn.memory when it gets its first bytes, and frees it in end().
 */
#ifndef SIDELIGHT_TXN_PROTOCOL_H
#define SIDELIGHT_TXN_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "flow/conn.h"

struct session;

/* Whether the first bytes of a direction belong to a protocol. */
enum detection {
	DETECTION_NO,
	DETECTION_YES,
	DETECTION_MORE, /* they may: detect() is called again with more bytes */
};

/* The maximum number of bytes for detect(): with so many, DETECTION_MORE counts as no. */
#define PROTOCOL_DETECT_MAX 32

/*
 * The first four are as in struct bytes_sink, end() as in struct conn_sink. fin and end may be
 * NULL.
 */
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

	/* For added protocols only. */
	const char *name;
	/*
	 * first: the first bytes of the direction, 1 to PROTOCOL_DETECT_MAX, independent of the
	 * segmentation. conn.role is known.
	 */
	enum detection (*detect)(const struct conn *c, enum dir dir, struct span first);
};

#define PROTOCOLS_MAX 8

/* The added protocols, in order. All zeros: none. */
struct protocols {
	size_t count;
	const struct protocol_ops *ops[PROTOCOLS_MAX];
};

#endif
