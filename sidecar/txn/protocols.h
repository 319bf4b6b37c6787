/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols that were added to an engine. Each is asked about the first bytes of a direction before
 * HTTP is looked for (detection.c). As long as one of them needs more bytes, those that came are
 * held back; then they go to the protocol that says yes, or to HTTP.
 *
 * Only connections whose first bytes are there are offered: in the stream of an older one nobody
 * can tell where a message begins.
 */
#ifndef SIDELIGHT_TXN_PROTOCOLS_H
#define SIDELIGHT_TXN_PROTOCOLS_H

#include "txn/protocol.h"
#include "txn/session.h"

/* Returns 0, or -ENOSPC if there are PROTOCOLS_MAX. */
int protocols_add(struct protocols *p, const struct protocol_ops *ops);

/*
 * view: bytes while session.protocol is NULL, behind a PROXY header.
 *   DETECTION_MORE  they are held
 *   DETECTION_YES   session.protocol is set; the bytes that were held come first, then those of
 * view DETECTION_NO    likewise, for HTTP; the direction is offered no more
 */
enum detection protocols_detect(struct conn *c, struct session *s, enum dir dir,
				const struct segment_view *view, uint64_t time_ns);

/* The bytes that were held, which are in buf, as if they came with view; *ret_ns: when they did. */
struct segment_view protocols_give_back(struct conn *c, struct session *s,
					const struct segment_view *view,
					char buf[PROTOCOL_DETECT_MAX], uint64_t *ret_ns);

/* Frees what is held; it may be nothing. */
void protocols_release(struct conn *c, struct session *s);

#endif
