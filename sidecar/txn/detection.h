/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detects the protocol of a connection, after a PROXY header if there is one (proxy_header.h):
 *
 *   HTTP/2   the client's preface (RFC 9113 section 3.4), a server whose first byte starts a
 *            frame, a source that marks frames; on an older connection, consecutive frames
 *   HTTP/1   any other connection whose opening was seen; an older one, if a segment begins
 *            with a start line
 *
 * As soon as the protocol is known, session.protocol is set, and gets the bytes that were buffered
 * until then.
 */
#ifndef SIDELIGHT_TXN_DETECTION_H
#define SIDELIGHT_TXN_DETECTION_H

#include "txn/protocol.h"
#include "txn/session.h"

/* Used while session.protocol is NULL. */
extern const struct protocol_ops detection_protocol;

/* True if the next bytes may belong to a PROXY header. */
bool detection_may_have_header(const struct conn *c, const struct session *s, enum dir dir);
/*
 * A malformed PROXY header: the server closes the connection, and no byte of the client is a
 * request.
 */
void detection_refuse(struct conn *c, struct session *s, enum dir dir,
		      const struct segment_view *view);

#endif
