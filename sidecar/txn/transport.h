/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport between a connection's bytes and its session: plaintext, or TLS.
 *
 * The first byte after a PROXY header decides. With TLS the session gets the decrypted bytes as if
 * they came by TCP. Sessions compare positions of the two directions (pairing.h) in TCP sequence
 * numbers: plaintext has the same order, as long as a record goes out with the event that completes
 * it.
 */
#ifndef SIDELIGHT_TXN_TRANSPORT_H
#define SIDELIGHT_TXN_TRANSPORT_H

#include "txn/session.h"

enum transport {
	TRANSPORT_UNKNOWN, /* no byte so far but those of a PROXY header */
	TRANSPORT_PLAINTEXT,
	TRANSPORT_TLS,
	/* TLS that can't be decrypted (any more), or carries no HTTP: the session has ended. */
	TRANSPORT_ENDED,
};

/* For a TLS connection that waits for secrets: some were added. */
void transport_secrets(struct conn *c, uint64_t time_ns);
/*
 * Likewise: it is given up, unless those that were added open the record that has waited since
 * before before_ns. Returns whether it was.
 */
bool transport_no_secrets(struct conn *c, uint64_t before_ns, uint64_t time_ns);

/* For the table of connections, where session_env.tls is set. */
extern const struct conn_sink transport_sink;

#endif
