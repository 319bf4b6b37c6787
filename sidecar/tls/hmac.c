/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/hmac.h"

#include <string.h>

void tls_hmac_init(struct tls_hmac *h, enum tls_hash hash, const uint8_t *key, size_t len)
{
	h->hash = hash;
	switch (hash) {
	case TLS_SHA1:
		hmac_sha1_set_key(&h->sha1, len, key);
		break;
	case TLS_SHA256:
		hmac_sha256_set_key(&h->sha256, len, key);
		break;
	case TLS_SHA384:
		hmac_sha384_set_key(&h->sha384, len, key);
		break;
	}
}

void tls_hmac_add(struct tls_hmac *h, const void *data, size_t len)
{
	switch (h->hash) {
	case TLS_SHA1:
		hmac_sha1_update(&h->sha1, len, data);
		break;
	case TLS_SHA256:
		hmac_sha256_update(&h->sha256, len, data);
		break;
	case TLS_SHA384:
		hmac_sha384_update(&h->sha384, len, data);
		break;
	}
}

void tls_hmac_end(struct tls_hmac *h, uint8_t *ret_digest, size_t len)
{
	switch (h->hash) {
	case TLS_SHA1:
		hmac_sha1_digest(&h->sha1, len, ret_digest);
		break;
	case TLS_SHA256:
		hmac_sha256_digest(&h->sha256, len, ret_digest);
		break;
	case TLS_SHA384:
		hmac_sha384_digest(&h->sha384, len, ret_digest);
		break;
	}
}

void tls_hmac_wipe(struct tls_hmac *h)
{
	explicit_bzero(h, sizeof(*h));
}
