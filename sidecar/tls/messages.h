/* SPDX-License-Identifier: Apache-2.0 */
/* What the messages of a handshake change: version, cipher suite, phases, keys. */
#ifndef SIDELIGHT_TLS_MESSAGES_H
#define SIDELIGHT_TLS_MESSAGES_H

#include "tls/stream.h"

/* The content of a handshake record. It may leave the stream dark. */
void tls_messages(struct tls_stream *t, enum dir dir, struct span content);

/* ChangeCipherSpec, encrypted or not. */
void tls_change_cipher(struct tls_stream *t, enum dir dir);

#endif
