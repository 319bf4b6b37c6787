/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection speaks, behind a PROXY header if there is one (proxy_header.h):
 *
 *   HTTP/2   the client's preface (RFC 9113 section 3.4), a server that begins with a frame, a
 *            source that knows of frames; of an older connection, segments that follow one another
 *            as frames do
 *   HTTP/1   everything else of a connection whose opening was seen; of an older one, what
 *            begins with a start line
 *
 * As soon as that is known, session.protocol is that protocol's, and gets the bytes that were held
 * back until then.
 */
#ifndef SIDELIGHT_TXN_DETECTION_H
#define SIDELIGHT_TXN_DETECTION_H

#include "txn/protocol.h"
#include "txn/session.h"

/* While session.protocol is NULL. */
extern const struct protocol_ops detection_protocol;

/* May the next bytes be of a PROXY header, while the protocol is not known? */
bool detection_may_have_header(const struct conn *c, const struct session *s, enum dir dir);
/* A malformed PROXY header: the server closes, and nothing that the client sends is a request. */
void detection_refuse(struct conn *c, struct session *s, enum dir dir,
		      const struct segment_view *view);

#endif
