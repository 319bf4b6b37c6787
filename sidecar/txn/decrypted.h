/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink of a TLS stream: passes the plaintext to the session, and finds out whether it is HTTP.
 *
 * The BPF programs mute a plaintext connection that carries no HTTP, or becomes a tunnel. They
 * cannot read TLS, so the engine applies the same rules to the plaintext, and reports the result
 * (engine_options.on_unneeded).
 */
#ifndef SIDELIGHT_TXN_DECRYPTED_H
#define SIDELIGHT_TXN_DECRYPTED_H

#include "txn/session.h"

extern const struct bytes_sink decrypted_sink; /* ctx is the struct conn */

/*
 * Why nothing more of the connection is needed; 0: it is needed, or its source goes on with it in
 * any case.
 */
enum sl_mute decrypted_unneeded(const struct conn *c, const struct session *s);

/*
 * Tells the source how far a long body of HTTP/1 reaches at least, so that it need not be copied:
 * records are longer than their plaintext. seq: the end of the bytes of this direction so far.
 */
void decrypted_tell_body(struct conn *c, const struct session *s, enum dir dir, uint32_t seq);

#endif
