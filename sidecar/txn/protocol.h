/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection speaks, behind a PROXY header if there is one (proxy_header.h). Until that is
 * known, and for ever if it is HTTP/2, the session's role is unknown, and what session.c hears of
 * goes through here.
 *
 *   HTTP/2   the client's preface (RFC 9113 section 3.4), a server that begins with a frame, a
 *            source that knows of frames, an accepted `Upgrade: h2c`; of an older connection,
 *            pieces that follow one another as frames do
 *   HTTP/1   everything else of a connection whose opening was seen; of an older one, what
 *            begins with a start line
 */
#ifndef SIDELIGHT_TXN_PROTOCOL_H
#define SIDELIGHT_TXN_PROTOCOL_H

#include "txn/session.h"

/*
 * As struct bytes_sink has them, for sessions of unknown role; data, as long as it is not known to
 * be HTTP/2. True: it is HTTP/1, the role is known now, parsers are ready, and the caller goes on
 * with what he was told, less a PROXY header, which is taken off *view.
 */
bool protocol_data(struct conn *c, struct session *s, enum dir dir, struct segment_view *view);
bool protocol_skip(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint32_t len);
bool protocol_lost(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint32_t len);
/* May the next bytes be of a PROXY header, in a session of unknown role? */
bool protocol_may_have_header(const struct conn *c, const struct session *s, enum dir dir);
/* A malformed PROXY header: the server closes, and nothing that the client sends is a request. */
void protocol_refuse(struct conn *c, struct session *s, enum dir dir,
		     const struct segment_view *view);
/* The session's role is unknown, and stays so. */
void protocol_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns);

/*
 * 101 in answer to e (NULL: not seen), of which m is the head. False: not to HTTP/2. Else the role
 * is unknown from now on, and e is empty.
 */
bool protocol_upgrade(struct conn *c, struct session *s, struct exchange *e,
		      const struct message *m);

#endif
