/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a connection's bytes and its session: nothing, or TLS.
 *
 * The first byte behind a PROXY header decides. With TLS the session gets the plaintext, as if it
 * had come by TCP. Where sessions compare positions in the two directions (turn.h), they compare
 * those of TCP: order is the same in both, as long as a record is handed on with the event that
 * completes it.
 */
#ifndef SIDELIGHT_TXN_TRANSPORT_H
#define SIDELIGHT_TXN_TRANSPORT_H

#include "txn/session.h"

enum transport {
	TRANSPORT_UNKNOWN, /* no byte came yet but those of a PROXY header */
	TRANSPORT_PLAIN,
	TRANSPORT_TLS,
	TRANSPORT_DARK, /* TLS that cannot be decrypted (any more): the session has ended */
};

/* For the table of connections, where session_env.tls is set. */
extern const struct conn_sink transport_sink;

#endif
