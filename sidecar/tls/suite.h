/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supported cipher suites of TLS 1.2 and 1.3: AES in GCM, CCM and CBC mode, and
 * ChaCha20-Poly1305. The key exchange does not matter for decryption with a key log.
 */
#ifndef SIDELIGHT_TLS_SUITE_H
#define SIDELIGHT_TLS_SUITE_H

#include <stdbool.h>
#include <stdint.h>

enum tls_mode { TLS_GCM, TLS_CCM, TLS_CCM_8, TLS_CHACHA20, TLS_CBC };

enum tls_hash { TLS_SHA1, TLS_SHA256, TLS_SHA384 };

#define TLS_HASH_MAX 48 /* bytes of the longest digest */
#define TLS_KEY_MAX  32

struct tls_suite {
	uint16_t id; /* of the IANA registry "TLS Cipher Suites" */
	uint8_t mode; /* enum tls_mode */
	uint8_t key_bytes;
	uint8_t hash; /* enum tls_hash, of the key schedule */
	uint8_t mac; /* likewise, of the records; TLS_CBC only */
};

/* Returns NULL if the suite is not supported. */
const struct tls_suite *tls_suite_find(uint16_t id);

/* TLS 1.3 has all suites from 0x1300 to 0x13ff and no others. */
static inline bool tls_suite_is_tls13(const struct tls_suite *suite)
{
	return suite->id >> 8 == 0x13;
}

uint8_t tls_hash_bytes(enum tls_hash hash);

#endif
