/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protection of one direction's records: RFC 8446 section 5.2, RFC 5246 section 6.2.3, and the
 * documents of the single ciphers. Decryption only; the primitives are nettle's.
 *
 * A record's number is its place in the order of the records under one key, from 0.
 */
#ifndef SIDELIGHT_TLS_CIPHER_H
#define SIDELIGHT_TLS_CIPHER_H

#include <nettle/aes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/suite.h"

#define TLS_HEADER_BYTES 5
#define TLS_PLAIN_MAX	 16384 /* of a record, RFC 8446 section 5.1 */
#define TLS_BODY_MAX	 (TLS_PLAIN_MAX + 2048) /* RFC 5246 section 6.2.3; 1.3: + 256 */
#define TLS_IV_BYTES	 12

struct tls_cipher {
	const struct tls_suite *suite; /* NULL: there is none */
	bool encrypt_then_mac; /* RFC 7366; TLS_CBC only */
	uint8_t iv[TLS_IV_BYTES]; /* the part of the nonce that no record carries */
	uint8_t key[TLS_KEY_MAX];
	uint8_t mac_key[TLS_HASH_MAX];
	union {
		struct aes128_ctx aes128; /* of TLS_CBC: to decrypt */
		struct aes256_ctx aes256;
	};
};

/* mac_key: as long as the suite's MAC; NULL for all but TLS_CBC. iv may be NULL for that. */
void tls_cipher_init(struct tls_cipher *c, const struct tls_suite *suite, const uint8_t *key,
		     const uint8_t *iv, const uint8_t *mac_key, bool encrypt_then_mac);
void tls_cipher_wipe(struct tls_cipher *c);

/*
 * Bytes of a body of `len` bytes that are no plaintext, as far as that follows from the length
 * alone: explicit nonce and tag. TLS_CBC: at least so many.
 */
size_t tls_cipher_overhead(const struct tls_cipher *c);
/* Those of them in front of the plaintext. */
size_t tls_cipher_nonce_bytes(const struct tls_cipher *c);
/* Plaintext follows from position alone: bytes can be decrypted without those before them. */
static inline bool tls_cipher_is_stream(const struct tls_cipher *c)
{
	return c->suite->mode != TLS_CBC;
}

/*
 * Decrypts a whole record and verifies it. header: its five bytes. False: the key, the number, or
 * a byte is another, and ret_plain is undefined. Of TLS 1.3 the plaintext ends with content type
 * and padding. ret_plain has room for len bytes, and is not part of body.
 */
bool tls_cipher_open(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		     const uint8_t *body, size_t len, uint8_t *ret_plain, size_t *ret_len);

/*
 * Decrypts len bytes of the plaintext from offset `from`, and verifies nothing; stream ciphers
 * only. body: the record's body, of which the explicit nonce and these bytes have to be there.
 */
void tls_cipher_decrypt(const struct tls_cipher *c, uint64_t number, const uint8_t *body,
			size_t from, size_t len, uint8_t *ret_plain);

#endif
