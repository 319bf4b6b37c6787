/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of the PROXY protocol before the first byte of HTTP/1 or HTTP/2: taken off, and the
 * client that it names becomes the peer of an accepted connection.
 *
 * A header that is malformed ends what is understood of the client's direction: the server closes
 * the connection, and nothing behind the header is a request.
 */
#ifndef SIDELIGHT_TXN_PROXY_HEADER_H
#define SIDELIGHT_TXN_PROXY_HEADER_H

#include "txn/session.h"

enum proxy_header {
	PROXY_HEADER_NONE, /* *view is what the protocol goes on with, if it is not empty */
	PROXY_HEADER_HELD, /* likewise, but the s->proxy->buffered bytes come first */
	PROXY_HEADER_INSIDE, /* the header goes on */
	PROXY_HEADER_BAD,
};

/* Takes the header, or its next part, off *view, the next bytes of a session whose protocol is not
 * known. */
enum proxy_header proxy_header_take(struct conn *c, struct session *s, enum dir dir,
				    struct segment_view *view, uint64_t time_ns);

/* The next len bytes of dir were missed. True: all of them are of the header. */
bool proxy_header_miss(struct conn *c, struct session *s, enum dir dir, uint32_t len);

/* Moves what is held, and was no header, into the buffer: bytes that came at s->held_ns, before
 * those of view. */
struct segment_view proxy_header_give_back(struct conn *c, struct session *s,
					   const struct segment_view *view,
					   char buf[PROXY_BUFFER_MAX]);

/* What is held of a header is of no use any more; it may be nothing. */
void proxy_header_release(struct conn *c, struct session *s);

#endif
