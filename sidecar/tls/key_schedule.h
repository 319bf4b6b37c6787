/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derives the keys of records from secrets: RFC 8446 section 7.1 and 7.3 (HKDF), RFC 5246 section 5
 * and 6.3 (PRF).
 */
#ifndef SIDELIGHT_TLS_KEY_SCHEDULE_H
#define SIDELIGHT_TLS_KEY_SCHEDULE_H

#include "base/span.h"
#include "tls/cipher.h"

#define TLS_RANDOM_BYTES 32
#define TLS_MASTER_BYTES 48

/* HKDF-Expand-Label with an empty context; len is at most 255 digests. */
void tls_expand_label(enum tls_hash hash, const uint8_t *secret, const char *label, uint8_t *ret,
		      size_t len);

/* TLS 1.3: derives the keys of a traffic secret, which is as long as the suite's hash. */
void tls13_keys(struct tls_cipher *c, const struct tls_suite *suite, const uint8_t *secret);
/* TLS 1.3: replaces the traffic secret by the next one after a KeyUpdate (section 7.2). */
void tls13_next_secret(const struct tls_suite *suite, uint8_t *secret);

/* TLS 1.2: PRF(secret, label, seed), len bytes. */
void tls12_prf(enum tls_hash hash, struct span secret, const char *label, struct span seed,
	       uint8_t *ret, size_t len);
/* TLS 1.2: derives the keys of both directions. */
void tls12_keys(struct tls_cipher *client, struct tls_cipher *server, const struct tls_suite *suite,
		const uint8_t *master, const uint8_t *client_random, const uint8_t *server_random,
		bool encrypt_then_mac);

#endif
