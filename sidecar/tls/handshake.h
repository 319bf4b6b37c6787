/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages in one direction's handshake records: a message may be spread over several records,
 * and a record may hold several messages.
 */
#ifndef SIDELIGHT_TLS_HANDSHAKE_H
#define SIDELIGHT_TLS_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"

/* The longest hello that is read; those of post-quantum key exchanges have 2 KiB. */
#define TLS_HELLO_MAX (16u << 10)

/* Zeroed, it is at the beginning of a message. */
struct tls_handshake {
	uint8_t header[4]; /* type, length in three bytes */
	uint8_t header_bytes; /* that came */
	uint32_t body_bytes; /* likewise */
	uint8_t *body; /* owned: of a message that is spread over records, and that is read */
};

/*
 * One message has ended. body: that of a hello or of encrypted extensions; empty for all others.
 * False ends the reading of this record.
 */
typedef bool (*tls_message_fn)(void *ctx, uint8_t type, struct span body);

/* False: malformed, no memory, or fn said so. */
bool tls_handshake_data(struct tls_handshake *h, struct span data, struct memory_account *memory,
			tls_message_fn fn, void *ctx);

void tls_handshake_release(struct tls_handshake *h, struct memory_account *memory);

#endif
