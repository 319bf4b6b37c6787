/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open connections as one object of JSON. Members of it:
 *
 *     connections_open  number  that the list has
 *     left_out          number  of those that are not in `connections`
 *     complete          bool    false: the kernel has more than the list
 *     connections       array   one object for each connection:
 *
 *     conn            string  as in /requests; null if it carried no data since the start
 *     role            string  "server" or "client": which end is observed
 *     container       string
 *     peer, local     string  "ADDRESS:PORT"
 *     age_ns          number  since the handshake; null for connections older than sidelight
 *     rtt_ns          number  smoothed round-trip time; null if not measured yet
 *     retransmits     number  segments that this end sent again
 *     bytes_received, bytes_sent  number  payload; sent: what was acknowledged
 *     limited_ns      number  for which the peer's receive window kept this end from sending
 *     zero_window     string  "peer", "local" or "both": whose receive window is zero now; null
 *     requests        number  that have ended; null if the connection is not followed
 *     requests_open   number  likewise
 */
#ifndef SIDELIGHT_EXPORT_CONNECTION_LINE_H
#define SIDELIGHT_EXPORT_CONNECTION_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "metrics/tcp_sockets.h"
#include "txn/engine.h"

struct connection_lines {
	const struct engine *engine;
	const struct tcp_sockets *sockets;
	size_t rows_max;
	const char *(*container)(void *ctx, uint64_t id); /* its name */
	void *ctx;
};

/* Appends the line, with its end. */
void connection_line_add(struct text *out, const struct connection_lines *from);

#endif
