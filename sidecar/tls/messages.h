/* SPDX-License-Identifier: Apache-2.0 */
/* Applies handshake messages to a stream: version, cipher suite, phases, keys. */
#ifndef SIDELIGHT_TLS_MESSAGES_H
#define SIDELIGHT_TLS_MESSAGES_H

#include "tls/stream.h"

/* Processes the content of a handshake record. The stream may fail. */
void tls_messages(struct tls_stream *t, enum dir dir, struct span content);

/* Processes ChangeCipherSpec, encrypted or not. */
void tls_change_cipher(struct tls_stream *t, enum dir dir);

#endif
