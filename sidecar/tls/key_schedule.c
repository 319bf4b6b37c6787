/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/key_schedule.h"

#include <assert.h>
#include <nettle/hkdf.h>
#include <string.h>

#include "tls/hmac.h"

#define LABEL_MAX 32 /* "tls13 " and the longest label in use here */

static void expand(enum tls_hash hash, const uint8_t *secret, const uint8_t *info, size_t info_len,
		   uint8_t *ret, size_t len)
{
	size_t digest = tls_hash_bytes(hash);
	struct tls_hmac h;

	tls_hmac_init(&h, hash, secret, digest);
	if (hash == TLS_SHA384)
		hkdf_expand(&h.sha384, (nettle_hash_update_func *)hmac_sha384_update,
			    (nettle_hash_digest_func *)hmac_sha384_digest, digest, info_len, info,
			    len, ret);
	else
		hkdf_expand(&h.sha256, (nettle_hash_update_func *)hmac_sha256_update,
			    (nettle_hash_digest_func *)hmac_sha256_digest, digest, info_len, info,
			    len, ret);
	tls_hmac_wipe(&h);
}

void tls_expand_label(enum tls_hash hash, const uint8_t *secret, const char *label, uint8_t *ret,
		      size_t len)
{
	static const char prefix[] = "tls13 ";
	size_t name = sizeof(prefix) - 1 + strlen(label);
	uint8_t info[2 + 1 + LABEL_MAX + 1];

	assert(name <= LABEL_MAX && hash != TLS_SHA1);
	info[0] = (uint8_t)(len >> 8);
	info[1] = (uint8_t)len;
	info[2] = (uint8_t)name;
	memcpy(info + 3, prefix, sizeof(prefix) - 1);
	memcpy(info + 3 + sizeof(prefix) - 1, label, strlen(label));
	info[3 + name] = 0; /* length of the context */
	expand(hash, secret, info, 3 + name + 1, ret, len);
}

void tls13_keys(struct tls_cipher *c, const struct tls_suite *suite, const uint8_t *secret)
{
	uint8_t key[TLS_KEY_MAX];
	uint8_t iv[TLS_IV_BYTES];

	tls_expand_label(suite->hash, secret, "key", key, suite->key_bytes);
	tls_expand_label(suite->hash, secret, "iv", iv, sizeof(iv));
	tls_cipher_init(c, suite, key, iv, NULL, false);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(iv, sizeof(iv));
}

void tls13_next_secret(const struct tls_suite *suite, uint8_t *secret)
{
	uint8_t next[TLS_HASH_MAX];
	size_t len = tls_hash_bytes(suite->hash);

	tls_expand_label(suite->hash, secret, "traffic upd", next, len);
	memcpy(secret, next, len);
	explicit_bzero(next, sizeof(next));
}

void tls12_prf(enum tls_hash hash, struct span secret, const char *label, struct span seed,
	       uint8_t *ret, size_t len)
{
	size_t digest = tls_hash_bytes(hash);
	uint8_t a[TLS_HASH_MAX];
	struct tls_hmac h;

	/* P_hash: HMAC(A(1) + seed), HMAC(A(2) + seed), ..., where A(i) = HMAC(A(i - 1)). */
	tls_hmac_init(&h, hash, (const uint8_t *)secret.ptr, secret.len);
	tls_hmac_add(&h, label, strlen(label));
	tls_hmac_add(&h, seed.ptr, seed.len);
	tls_hmac_end(&h, a, digest);
	while (len > 0) {
		size_t n = len < digest ? len : digest;

		tls_hmac_add(&h, a, digest);
		tls_hmac_add(&h, label, strlen(label));
		tls_hmac_add(&h, seed.ptr, seed.len);
		tls_hmac_end(&h, ret, n);
		ret += n;
		len -= n;
		tls_hmac_add(&h, a, digest);
		tls_hmac_end(&h, a, digest);
	}
	tls_hmac_wipe(&h);
	explicit_bzero(a, sizeof(a));
}

void tls12_keys(struct tls_cipher *client, struct tls_cipher *server, const struct tls_suite *suite,
		const uint8_t *master, const uint8_t *client_random, const uint8_t *server_random,
		bool encrypt_then_mac)
{
	bool is_cbc = suite->mode == TLS_CBC;
	size_t mac = is_cbc ? tls_hash_bytes(suite->mac) : 0;
	size_t key = suite->key_bytes;
	size_t iv = is_cbc ? 0 : suite->mode == TLS_CHACHA20 ? TLS_IV_BYTES : 4;
	uint8_t seed[2 * TLS_RANDOM_BYTES];
	uint8_t block[2 * (TLS_HASH_MAX + TLS_KEY_MAX + TLS_IV_BYTES)];
	const uint8_t *keys = block + 2 * mac;
	const uint8_t *ivs = keys + 2 * key;

	memcpy(seed, server_random, TLS_RANDOM_BYTES);
	memcpy(seed + TLS_RANDOM_BYTES, client_random, TLS_RANDOM_BYTES);
	tls12_prf(suite->hash, (struct span){(const char *)master, TLS_MASTER_BYTES},
		  "key expansion", (struct span){(const char *)seed, sizeof(seed)}, block,
		  2 * (mac + key + iv));
	tls_cipher_init(client, suite, keys, is_cbc ? NULL : ivs, is_cbc ? block : NULL,
			encrypt_then_mac);
	tls_cipher_init(server, suite, keys + key, is_cbc ? NULL : ivs + iv,
			is_cbc ? block + mac : NULL, encrypt_then_mac);
	explicit_bzero(block, sizeof(block));
}
