/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols that are added to an engine. They are offered the first bytes of a direction before
 * HTTP is detected (detection.c). As long as one of them needs more bytes, the bytes are buffered;
 * then they go to the first protocol that accepts them, or to HTTP.
 *
 * Only connections whose first bytes were seen are offered: in the stream of an older connection,
 * the start of a message is not known.
 */
#ifndef SIDELIGHT_TXN_PROTOCOLS_H
#define SIDELIGHT_TXN_PROTOCOLS_H

#include "txn/protocol.h"
#include "txn/session.h"

/* Returns 0, or -ENOSPC if there are PROTOCOLS_MAX. */
int protocols_add(struct protocols *p, const struct protocol_ops *ops);

/*
 * Offers bytes to the protocols; view is after a PROXY header, and session.protocol is NULL.
 *   DETECTION_MORE  the bytes are buffered
 *   DETECTION_YES   session.protocol is set; it gets the buffered bytes, then those of view
 *   DETECTION_NO    HTTP gets the bytes in the same order; the direction is not offered again
 */
enum detection protocols_detect(struct conn *c, struct session *s, enum dir dir,
				const struct segment_view *view, uint64_t time_ns);

/*
 * Copies the buffered bytes to buf. Returns their view, with the positions of view; *ret_ns is
 * their time.
 */
struct segment_view protocols_take_buffered(struct conn *c, struct session *s,
					    const struct segment_view *view,
					    char buf[PROTOCOL_DETECT_MAX], uint64_t *ret_ns);

/* Frees the buffered bytes, if any. */
void protocols_release(struct conn *c, struct session *s);

#endif
