/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypts the records of one direction: RFC 8446 section 5.2, RFC 5246 section 6.2.3, and the
 * documents of the ciphers. The primitives are nettle's.
 *
 * The number of a record counts the records before it under the same key.
 */
#ifndef SIDELIGHT_TLS_CIPHER_H
#define SIDELIGHT_TLS_CIPHER_H

#include <nettle/aes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/suite.h"

#define TLS_HEADER_BYTES  5
#define TLS_PLAINTEXT_MAX 16384 /* of a record, RFC 8446 section 5.1 */
#define TLS_BODY_MAX	  (TLS_PLAINTEXT_MAX + 2048) /* RFC 5246 section 6.2.3; 1.3: + 256 */
#define TLS_IV_BYTES	  12

struct tls_cipher {
	const struct tls_suite *suite; /* NULL: no cipher is set */
	bool encrypt_then_mac; /* RFC 7366; TLS_CBC only */
	uint8_t iv[TLS_IV_BYTES]; /* the implicit part of the nonce */
	uint8_t key[TLS_KEY_MAX];
	uint8_t mac_key[TLS_HASH_MAX];
	union {
		struct aes128_ctx aes128; /* TLS_CBC only */
		struct aes256_ctx aes256;
	};
};

/*
 * mac_key has the length of the suite's MAC, and is NULL for all modes but TLS_CBC. iv may be NULL
 * for TLS_CBC.
 */
void tls_cipher_init(struct tls_cipher *c, const struct tls_suite *suite, const uint8_t *key,
		     const uint8_t *iv, const uint8_t *mac_key, bool encrypt_then_mac);
void tls_cipher_wipe(struct tls_cipher *c);

/*
 * The bytes of a body that are not plaintext, as far as the length determines them: explicit nonce
 * and tag. For TLS_CBC a lower bound.
 */
size_t tls_cipher_overhead(const struct tls_cipher *c);
/* The bytes of the explicit nonce in front of the ciphertext. */
size_t tls_cipher_nonce_bytes(const struct tls_cipher *c);
/*
 * The explicit nonce as a number: GCM and CCM in TLS 1.2 alone, tls_cipher_nonce_bytes() is 8
 * there. Implementations count records in it, from zero or from any start (RFC 5288 section 3).
 */
uint64_t tls_cipher_nonce(const uint8_t *body);
/* The longest body of a record: RFC 8446 section 5.2; in TLS 1.2 plaintext and overhead. */
size_t tls_cipher_body_max(const struct tls_cipher *c);
/* True if each byte can be decrypted without the bytes before it. */
static inline bool tls_cipher_is_stream(const struct tls_cipher *c)
{
	return c->suite->mode != TLS_CBC;
}

/*
 * Decrypts a complete record and verifies its tag. header: its five bytes. Returns false if the tag
 * is wrong; then ret_plaintext is undefined. In TLS 1.3 the plaintext ends with content type and
 * padding. ret_plaintext has room for len bytes and does not overlap body.
 */
bool tls_cipher_open(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		     const uint8_t *body, size_t len, uint8_t *ret_plaintext, size_t *ret_len);

/*
 * Decrypts len bytes of the plaintext from offset `from` without verification; stream ciphers only.
 * Of the record's body, the explicit nonce and these bytes have to be present.
 */
void tls_cipher_decrypt(const struct tls_cipher *c, uint64_t number, const uint8_t *body,
			size_t from, size_t len, uint8_t *ret_plaintext);

#endif
