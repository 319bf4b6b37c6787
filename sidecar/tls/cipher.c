/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/cipher.h"

#include <endian.h>
#include <nettle/cbc.h>
#include <nettle/ccm.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include <nettle/memops.h>
#include <nettle/memxor.h>
#include <string.h>

#include "tls/hmac.h"

#define EXPLICIT_NONCE                                                                             \
	8 /* GCM and CCM in TLS 1.2; the other four bytes of the nonce are the IV                  \
	   */
#define TAG_MAX 16

void tls_cipher_init(struct tls_cipher *c, const struct tls_suite *suite, const uint8_t *key,
		     const uint8_t *iv, const uint8_t *mac_key, bool encrypt_then_mac)
{
	explicit_bzero(c, sizeof(*c));
	c->suite = suite;
	c->encrypt_then_mac = encrypt_then_mac;
	memcpy(c->key, key, suite->key_bytes);
	if (iv)
		memcpy(c->iv, iv,
		       tls_cipher_nonce_bytes(c) ? TLS_IV_BYTES - EXPLICIT_NONCE : TLS_IV_BYTES);
	if (mac_key)
		memcpy(c->mac_key, mac_key, tls_hash_bytes(suite->mac));
	if (suite->mode == TLS_CHACHA20)
		return;
	if (suite->key_bytes == AES128_KEY_SIZE && suite->mode == TLS_CBC)
		aes128_set_decrypt_key(&c->aes128, key);
	else if (suite->key_bytes == AES128_KEY_SIZE)
		aes128_set_encrypt_key(&c->aes128, key);
	else if (suite->mode == TLS_CBC)
		aes256_set_decrypt_key(&c->aes256, key);
	else
		aes256_set_encrypt_key(&c->aes256, key);
}

void tls_cipher_wipe(struct tls_cipher *c)
{
	explicit_bzero(c, sizeof(*c));
}

static nettle_cipher_func *encryption(const struct tls_cipher *c)
{
	return c->suite->key_bytes == AES128_KEY_SIZE ? (nettle_cipher_func *)aes128_encrypt
						      : (nettle_cipher_func *)aes256_encrypt;
}

static size_t tag_bytes(const struct tls_cipher *c)
{
	return c->suite->mode == TLS_CCM_8 ? 8 : 16;
}

size_t tls_cipher_nonce_bytes(const struct tls_cipher *c)
{
	if (c->suite->mode == TLS_CBC)
		return AES_BLOCK_SIZE;
	return tls_suite_is_tls13(c->suite) || c->suite->mode == TLS_CHACHA20 ? 0 : EXPLICIT_NONCE;
}

size_t tls_cipher_overhead(const struct tls_cipher *c)
{
	if (c->suite->mode == TLS_CBC) /* the last byte is the length of the padding before it */
		return AES_BLOCK_SIZE + tls_hash_bytes(c->suite->mac) + 1u;
	return tls_cipher_nonce_bytes(c) + tag_bytes(c);
}

uint64_t tls_cipher_nonce(const uint8_t *body)
{
	uint64_t nonce = 0;

	for (int i = 0; i < EXPLICIT_NONCE; i++)
		nonce = nonce << 8 | body[i];
	return nonce;
}

size_t tls_cipher_body_max(const struct tls_cipher *c)
{
	if (tls_suite_is_tls13(c->suite))
		return TLS_PLAINTEXT_MAX + 256;
	return c->suite->mode == TLS_CBC ? TLS_BODY_MAX
					 : TLS_PLAINTEXT_MAX + tls_cipher_overhead(c);
}

static void put_number(uint8_t *to, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(number >> (56 - 8 * i));
}

static void make_nonce(const struct tls_cipher *c, uint64_t number, const uint8_t *body,
		       uint8_t *ret_nonce)
{
	uint64_t tail;

	memcpy(ret_nonce, c->iv, TLS_IV_BYTES);
	if (tls_cipher_nonce_bytes(c)) {
		memcpy(ret_nonce + TLS_IV_BYTES - EXPLICIT_NONCE, body, EXPLICIT_NONCE);
		return;
	}
	memcpy(&tail, ret_nonce + TLS_IV_BYTES - sizeof(tail), sizeof(tail));
	tail ^= htobe64(number);
	memcpy(ret_nonce + TLS_IV_BYTES - sizeof(tail), &tail, sizeof(tail));
}

/* Writes the additional authenticated data. Returns its length. */
static size_t make_extra(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
			 size_t plaintext_len, uint8_t *ret_extra)
{
	if (tls_suite_is_tls13(c->suite)) {
		memcpy(ret_extra, header, TLS_HEADER_BYTES);
		return TLS_HEADER_BYTES;
	}
	put_number(ret_extra, number);
	memcpy(ret_extra + 8, header, 3);
	ret_extra[11] = (uint8_t)(plaintext_len >> 8);
	ret_extra[12] = (uint8_t)plaintext_len;
	return 13;
}

static void open_gcm(const struct tls_cipher *c, const uint8_t *nonce, const uint8_t *extra,
		     size_t extra_len, const uint8_t *in, size_t len, uint8_t *plaintext,
		     uint8_t *tag)
{
	nettle_cipher_func *f = encryption(c);
	struct gcm_key key;
	struct gcm_ctx gcm;

	gcm_set_key(&key, &c->aes128, f);
	gcm_set_iv(&gcm, &key, TLS_IV_BYTES, nonce);
	gcm_update(&gcm, &key, extra_len, extra);
	gcm_decrypt(&gcm, &key, &c->aes128, f, len, plaintext, in);
	gcm_digest(&gcm, &key, &c->aes128, f, TAG_MAX, tag);
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(&gcm, sizeof(gcm));
}

static void open_ccm(const struct tls_cipher *c, const uint8_t *nonce, const uint8_t *extra,
		     size_t extra_len, const uint8_t *in, size_t len, uint8_t *plaintext,
		     uint8_t *tag)
{
	nettle_cipher_func *f = encryption(c);
	size_t tag_len = tag_bytes(c);
	struct ccm_ctx ccm;

	ccm_set_nonce(&ccm, &c->aes128, f, TLS_IV_BYTES, nonce, extra_len, len, tag_len);
	ccm_update(&ccm, &c->aes128, f, extra_len, extra);
	ccm_decrypt(&ccm, &c->aes128, f, len, plaintext, in);
	ccm_digest(&ccm, &c->aes128, f, tag_len, tag);
	explicit_bzero(&ccm, sizeof(ccm));
}

static void open_chacha20(const struct tls_cipher *c, const uint8_t *nonce, const uint8_t *extra,
			  size_t extra_len, const uint8_t *in, size_t len, uint8_t *plaintext,
			  uint8_t *tag)
{
	struct chacha_poly1305_ctx ctx;

	chacha_poly1305_set_key(&ctx, c->key);
	chacha_poly1305_set_nonce(&ctx, nonce);
	chacha_poly1305_update(&ctx, extra_len, extra);
	chacha_poly1305_decrypt(&ctx, len, plaintext, in);
	chacha_poly1305_digest(&ctx, TAG_MAX, tag);
	explicit_bzero(&ctx, sizeof(ctx));
}

static bool open_aead(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		      const uint8_t *body, size_t len, uint8_t *ret_plaintext, size_t *ret_len)
{
	size_t plaintext_len = len - tls_cipher_overhead(c);
	const uint8_t *in = body + tls_cipher_nonce_bytes(c);
	uint8_t nonce[TLS_IV_BYTES];
	uint8_t extra[13];
	size_t extra_len = make_extra(c, number, header, plaintext_len, extra);
	uint8_t tag[TAG_MAX];

	make_nonce(c, number, body, nonce);
	if (c->suite->mode == TLS_GCM)
		open_gcm(c, nonce, extra, extra_len, in, plaintext_len, ret_plaintext, tag);
	else if (c->suite->mode == TLS_CHACHA20)
		open_chacha20(c, nonce, extra, extra_len, in, plaintext_len, ret_plaintext, tag);
	else
		open_ccm(c, nonce, extra, extra_len, in, plaintext_len, ret_plaintext, tag);
	*ret_len = plaintext_len;
	return memeql_sec(tag, in + plaintext_len, tag_bytes(c));
}

/* Verifies the HMAC of a record in CBC mode: over `len` bytes of data, which precede `want`. */
static bool is_mac(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		   const uint8_t *data, size_t len, const uint8_t *want)
{
	size_t mac_len = tls_hash_bytes(c->suite->mac);
	uint8_t digest[TLS_HASH_MAX];
	uint8_t extra[13];
	struct tls_hmac h;

	tls_hmac_init(&h, c->suite->mac, c->mac_key, mac_len);
	tls_hmac_add(&h, extra, make_extra(c, number, header, len, extra));
	tls_hmac_add(&h, data, len);
	tls_hmac_end(&h, digest, mac_len);
	tls_hmac_wipe(&h);
	return memeql_sec(digest, want, mac_len);
}

static void decrypt_cbc(const struct tls_cipher *c, const uint8_t *iv, const uint8_t *in,
			size_t len, uint8_t *plaintext)
{
	uint8_t chain[AES_BLOCK_SIZE]; /* changed by cbc_decrypt() */

	memcpy(chain, iv, sizeof(chain));
	if (c->suite->key_bytes == AES128_KEY_SIZE)
		cbc_decrypt(&c->aes128, (nettle_cipher_func *)aes128_decrypt, AES_BLOCK_SIZE, chain,
			    len, plaintext, in);
	else
		cbc_decrypt(&c->aes256, (nettle_cipher_func *)aes256_decrypt, AES_BLOCK_SIZE, chain,
			    len, plaintext, in);
}

/* Checks the padding: each byte is the number of padding bytes before the last one. */
static bool take_padding(const uint8_t *plaintext, size_t *len)
{
	size_t padding = plaintext[*len - 1];

	if (padding + 1 > *len)
		return false;
	for (size_t i = 2; i <= padding + 1; i++)
		if (plaintext[*len - i] != padding)
			return false;
	*len -= padding + 1;
	return true;
}

static bool open_cbc(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		     const uint8_t *body, size_t len, uint8_t *ret_plaintext, size_t *ret_len)
{
	size_t mac_len = tls_hash_bytes(c->suite->mac);
	const uint8_t *in = body + AES_BLOCK_SIZE;
	size_t n = len - AES_BLOCK_SIZE - (c->encrypt_then_mac ? mac_len : 0);

	if (n % AES_BLOCK_SIZE != 0)
		return false;
	if (c->encrypt_then_mac &&
	    !is_mac(c, number, header, body, len - mac_len, body + len - mac_len))
		return false;
	decrypt_cbc(c, body, in, n, ret_plaintext);
	if (!take_padding(ret_plaintext, &n))
		return false;
	if (c->encrypt_then_mac) {
		*ret_len = n;
		return true;
	}
	if (n < mac_len)
		return false;
	*ret_len = n - mac_len;
	return is_mac(c, number, header, ret_plaintext, n - mac_len, ret_plaintext + n - mac_len);
}

bool tls_cipher_open(const struct tls_cipher *c, uint64_t number, const uint8_t *header,
		     const uint8_t *body, size_t len, uint8_t *ret_plaintext, size_t *ret_len)
{
	if (len < tls_cipher_overhead(c))
		return false;
	if (c->suite->mode == TLS_CBC)
		return open_cbc(c, number, header, body, len, ret_plaintext, ret_len);
	return open_aead(c, number, header, body, len, ret_plaintext, ret_len);
}

/* RFC 8439 section 2.4: block 0 is the key of the tag, the text begins with block 1. */
static void stream_chacha20(const struct tls_cipher *c, const uint8_t *nonce, size_t block,
			    size_t skip, const uint8_t *in, size_t len, uint8_t *plaintext)
{
	uint8_t counter[4] = {(uint8_t)(block + 1), (uint8_t)((block + 1) >> 8), 0, 0};
	uint8_t first[CHACHA_BLOCK_SIZE] = {0};
	struct chacha_ctx ctx;
	size_t n = CHACHA_BLOCK_SIZE - skip < len ? CHACHA_BLOCK_SIZE - skip : len;

	chacha_set_key(&ctx, c->key);
	chacha_set_nonce96(&ctx, nonce);
	chacha_set_counter32(&ctx, counter);
	memcpy(first + skip, in, n);
	chacha_crypt32(&ctx, sizeof(first), first, first);
	memcpy(plaintext, first + skip, n);
	chacha_crypt32(&ctx, len - n, plaintext + n, in + n);
	explicit_bzero(&ctx, sizeof(ctx));
}

/* Blocks that are encrypted at once. */
#define COUNTERS 32

/* The counter of the first block of the text. */
static uint16_t first_counter(const struct tls_cipher *c)
{
	return c->suite->mode == TLS_GCM ? 2 : 1; /* NIST SP 800-38D section 7.1; RFC 3610 */
}

/* What is in each counter block before the counter, which takes the last two bytes. */
static void make_counter_block(const struct tls_cipher *c, const uint8_t *nonce, uint8_t *ret_block)
{
	memset(ret_block, 0, AES_BLOCK_SIZE);
	if (c->suite->mode == TLS_GCM) {
		memcpy(ret_block, nonce, TLS_IV_BYTES);
		return;
	}
	ret_block[0] = AES_BLOCK_SIZE - 1 - TLS_IV_BYTES - 1; /* bytes of the length, less one */
	memcpy(ret_block + 1, nonce, TLS_IV_BYTES);
}

/*
 * Counter mode, from offset `from` of the text on. nettle's ctr_crypt() takes three times as many
 * instructions for a record of one small message.
 */
static void stream_aes(const struct tls_cipher *c, const uint8_t *nonce, size_t from,
		       const uint8_t *in, size_t len, uint8_t *plaintext)
{
	nettle_cipher_func *f = encryption(c);
	size_t block = from / AES_BLOCK_SIZE + first_counter(c); /* below 2^16: TLS_BODY_MAX */
	size_t skip = from % AES_BLOCK_SIZE;
	uint8_t counters[COUNTERS * AES_BLOCK_SIZE];
	uint8_t key_stream[COUNTERS * AES_BLOCK_SIZE];

	make_counter_block(c, nonce, counters);
	for (size_t i = 1; i < COUNTERS && i * AES_BLOCK_SIZE < skip + len; i++)
		memcpy(counters + i * AES_BLOCK_SIZE, counters, AES_BLOCK_SIZE);
	while (len > 0) {
		size_t n = sizeof(key_stream) - skip < len ? sizeof(key_stream) - skip : len;
		size_t blocks = (skip + n + AES_BLOCK_SIZE - 1) / AES_BLOCK_SIZE;

		for (size_t i = 0; i < blocks; i++, block++) {
			counters[(i + 1) * AES_BLOCK_SIZE - 2] = (uint8_t)(block >> 8);
			counters[(i + 1) * AES_BLOCK_SIZE - 1] = (uint8_t)block;
		}
		f(&c->aes128, blocks * AES_BLOCK_SIZE, key_stream, counters);
		memxor3(plaintext, in, key_stream + skip, n);
		plaintext += n;
		in += n;
		len -= n;
		skip = 0;
	}
}

void tls_cipher_decrypt(const struct tls_cipher *c, uint64_t number, const uint8_t *body,
			size_t from, size_t len, uint8_t *ret_plaintext)
{
	const uint8_t *in = body + tls_cipher_nonce_bytes(c) + from;
	uint8_t nonce[TLS_IV_BYTES];

	make_nonce(c, number, body, nonce);
	if (c->suite->mode == TLS_CHACHA20)
		stream_chacha20(c, nonce, from / CHACHA_BLOCK_SIZE, from % CHACHA_BLOCK_SIZE, in,
				len, ret_plaintext);
	else
		stream_aes(c, nonce, from, in, len, ret_plaintext);
}
