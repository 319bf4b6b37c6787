/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC of nettle for the hash of any cipher suite. */
#ifndef SIDELIGHT_TLS_HMAC_H
#define SIDELIGHT_TLS_HMAC_H

#include <nettle/hmac.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/suite.h"

struct tls_hmac {
	enum tls_hash hash;
	union {
		struct hmac_sha1_ctx sha1;
		struct hmac_sha256_ctx sha256;
		struct hmac_sha512_ctx sha384;
	};
};

/* Holds key material until tls_hmac_wipe(). */
void tls_hmac_init(struct tls_hmac *h, enum tls_hash hash, const uint8_t *key, size_t len);
void tls_hmac_add(struct tls_hmac *h, const void *data, size_t len);
/* Writes `len` bytes of the digest, at most tls_hash_bytes(), and resets for the next message. */
void tls_hmac_end(struct tls_hmac *h, uint8_t *ret_digest, size_t len);
void tls_hmac_wipe(struct tls_hmac *h);

#endif
