/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembles the handshake messages of one direction: a message may span several records, and a
 * record may hold several messages.
 */
#ifndef SIDELIGHT_TLS_HANDSHAKE_H
#define SIDELIGHT_TLS_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"

/* The longest hello that is parsed; with post-quantum key exchange a hello has 2 KiB. */
#define TLS_HELLO_MAX (16u << 10)

/* All zeros: at the beginning of a message. */
struct tls_handshake {
	uint8_t header[4]; /* type, length in three bytes */
	uint8_t header_bytes; /* bytes of the header so far */
	uint32_t body_bytes; /* bytes of the body so far */
	bool wants_certificate; /* kept by tls_handshake_release() */
	uint8_t *body; /* owned: body of a parsed message that spans records */
};

/*
 * A message is complete. body: the body of a hello, of encrypted extensions or, if it is wanted and
 * not longer than TLS_HELLO_MAX, of certificates; empty for other messages. Returning false stops
 * parsing this record.
 */
typedef bool (*tls_message_fn)(void *ctx, uint8_t type, struct span body);

/* Returns false if a message is malformed, there is no memory, or fn returned false. */
bool tls_handshake_data(struct tls_handshake *h, struct span data, struct memory_account *memory,
			tls_message_fn fn, void *ctx);

void tls_handshake_release(struct tls_handshake *h, struct memory_account *memory);

#endif
