/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses ClientHello, ServerHello and EncryptedExtensions: RFC 8446 section 4.1 to 4.3, RFC 5246
 * section 7.4.1.
 *
 * Spans are borrowed from the message.
 */
#ifndef SIDELIGHT_TLS_HELLO_H
#define SIDELIGHT_TLS_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "tls/key_schedule.h"

#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

enum tls_message {
	TLS_CLIENT_HELLO = 1,
	TLS_SERVER_HELLO = 2,
	TLS_NEW_SESSION_TICKET = 4,
	TLS_END_OF_EARLY_DATA = 5,
	TLS_ENCRYPTED_EXTENSIONS = 8,
	TLS_CERTIFICATE = 11,
	TLS_CERTIFICATE_REQUEST = 13,
	TLS_CERTIFICATE_VERIFY = 15,
	TLS_FINISHED = 20,
	TLS_KEY_UPDATE = 24,
};

enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_HTTP_1, TLS_ALPN_HTTP_2, TLS_ALPN_OTHER };

struct tls_client_hello {
	uint8_t random[TLS_RANDOM_BYTES];
	bool has_early_data;
	bool has_ech; /* the inner ClientHello, if there is one, has another random */
};

struct tls_server_hello {
	uint16_t version; /* TLS_1_2, TLS_1_3, or an unsupported version */
	uint16_t suite;
	uint8_t random[TLS_RANDOM_BYTES];
	bool is_retry; /* HelloRetryRequest */
	bool encrypt_then_mac;
	enum tls_alpn alpn; /* TLS 1.2 only */
};

struct tls_encrypted_extensions {
	bool has_early_data; /* the server accepts early data */
	enum tls_alpn alpn;
};

/* Parse the body of a message; return false if it is malformed. */
bool tls_client_hello_parse(struct span body, struct tls_client_hello *ret);
bool tls_server_hello_parse(struct span body, struct tls_server_hello *ret);
bool tls_encrypted_extensions_parse(struct span body, struct tls_encrypted_extensions *ret);

#endif
