/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes the PROXY header before the first byte of HTTP/1 or HTTP/2. Its client address becomes
 * the peer of an accepted connection.
 *
 * After a malformed header the server closes the connection, so no byte after it is a request.
 */
#ifndef SIDELIGHT_TXN_PROXY_HEADER_H
#define SIDELIGHT_TXN_PROXY_HEADER_H

#include "txn/session.h"

enum proxy_header {
	PROXY_HEADER_NONE, /* *view contains the protocol's bytes, maybe none */
	PROXY_HEADER_BUFFERED, /* as NONE, but the s->proxy->buffered bytes precede them */
	PROXY_HEADER_INSIDE, /* the header is incomplete */
	PROXY_HEADER_BAD,
};

/*
 * Removes the header, or its next part, from *view, the next bytes of a session whose protocol is
 * not known.
 */
enum proxy_header proxy_header_take(struct conn *c, struct session *s, enum dir dir,
				    struct segment_view *view, uint64_t time_ns);

/*
 * The next len bytes of dir were skipped or lost. Returns true if all of them belong to the header.
 */
bool proxy_header_skip(struct conn *c, struct session *s, enum dir dir, uint32_t len);

/*
 * Copies the buffered bytes, which were no header, to buf. Returns their view; they came at
 * s->buffered_ns, before the bytes of view.
 */
struct segment_view proxy_header_take_buffered(struct conn *c, struct session *s,
					       const struct segment_view *view,
					       char buf[PROXY_BUFFER_MAX]);

/* Frees the buffered bytes, if any. */
void proxy_header_release(struct conn *c, struct session *s);

#endif
