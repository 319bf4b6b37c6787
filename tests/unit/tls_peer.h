/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a TLS connection on the record layer: minimal hellos and handshake messages, keys
 * from given secrets, and records encrypted with nettle.
 *
 *     struct tls_peer p;
 *     tls_peer_hello(&p, 0x1301, 0, NULL);            CH, SH, ..., Finished of both
 *     tls_peer_data(&p, true, "GET / ...", 9);        the client sends a record
 *
 * leaves the bytes in p.wire[0] (from the client) and p.wire[1], in p.order the segments of them in
 * the order in which they were sent, and in p.plaintext the expected output.
 */
#ifndef SIDELIGHT_TESTS_UNIT_TLS_PEER_H
#define SIDELIGHT_TESTS_UNIT_TLS_PEER_H

#include <nettle/cbc.h>
#include <nettle/ccm.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include <string.h>

#include "tls/hello.h"
#include "tls/hmac.h"
#include "tls/record.h"
#include "tls/secrets.h"

#define PEER_WIRE_MAX  (256u << 10)
#define PEER_ORDER_MAX 512

enum peer_flags {
	PEER_ENCRYPT_THEN_MAC = 1,
	PEER_EARLY = 2, /* the ClientHello offers early data */
	PEER_EARLY_TAKEN = 4,
	PEER_RETRY = 8, /* HelloRetryRequest */
	PEER_ECH = 16,
	PEER_ALPN_OTHER = 32,
	PEER_NO_FINISHED = 64, /* stop behind the server's hello */
	PEER_COUNTED = 128, /* explicit nonces count records, from shortly before they overflow */
};

struct tls_peer {
	const struct tls_suite *suite;
	unsigned flags;
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t server_random[TLS_RANDOM_BYTES];
	uint8_t secret[TLS_SECRET_MAX][TLS_MASTER_BYTES];
	uint8_t traffic[2][TLS_MASTER_BYTES]; /* the secrets of TLS 1.3 in use now */
	struct tls_cipher cipher[2];
	uint64_t number[2];
	size_t padding; /* of the records of TLS 1.3 to come */
	uint8_t wire[2][PEER_WIRE_MAX];
	size_t wire_len[2];
	uint8_t plaintext[2][PEER_WIRE_MAX];
	size_t plain_len[2];
	struct {
		uint8_t side;
		size_t from;
		size_t len;
	} order[PEER_ORDER_MAX];
	size_t segments;
};

static inline size_t peer_hash_bytes(const struct tls_peer *p)
{
	return tls_hash_bytes(p->suite->hash);
}

static inline void peer_send(struct tls_peer *p, int side, const void *bytes, size_t len)
{
	p->order[p->segments].side = (uint8_t)side;
	p->order[p->segments].from = p->wire_len[side];
	p->order[p->segments++].len = len;
	memcpy(p->wire[side] + p->wire_len[side], bytes, len);
	p->wire_len[side] += len;
}

static inline void peer_header(uint8_t *to, uint8_t type, size_t len)
{
	uint8_t header[] = {type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(to, header, sizeof(header));
}

/* --- encryption ------------------------------------------------------------------ */

static inline size_t peer_extra(const struct tls_cipher *c, uint64_t number, uint8_t type,
				size_t len, uint8_t *to)
{
	if (tls_suite_is_tls13(c->suite)) {
		peer_header(to, TLS_APPLICATION_DATA, len + tls_cipher_overhead(c));
		return 5;
	}
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(number >> (56 - 8 * i));
	peer_header(to + 8, type, len);
	return 13;
}

static inline size_t peer_seal_cbc(const struct tls_cipher *c, uint64_t number, uint8_t type,
				   const uint8_t *data, size_t len, uint8_t *body)
{
	size_t mac = tls_hash_bytes(c->suite->mac);
	uint8_t plaintext[TLS_BODY_MAX];
	uint8_t chain[16] = "an IV of 16 byte";
	uint8_t extra[13];
	struct aes128_ctx aes128;
	struct aes256_ctx aes256;
	struct tls_hmac h;
	size_t n = len;

	memcpy(plaintext, data, len);
	memcpy(body, chain, 16);
	tls_hmac_init(&h, c->suite->mac, c->mac_key, mac);
	if (!c->encrypt_then_mac) {
		tls_hmac_add(&h, extra, peer_extra(c, number, type, len, extra));
		tls_hmac_add(&h, data, len);
		tls_hmac_end(&h, plaintext + n, mac);
		n += mac;
	}
	for (uint8_t padding = (uint8_t)(15 - n % 16), i = 0; i <= padding; i++)
		plaintext[n++] = padding;
	aes128_set_encrypt_key(&aes128, c->key);
	aes256_set_encrypt_key(&aes256, c->key);
	if (c->suite->key_bytes == 16)
		cbc_encrypt(&aes128, (nettle_cipher_func *)aes128_encrypt, 16, chain, n, body + 16,
			    plaintext);
	else
		cbc_encrypt(&aes256, (nettle_cipher_func *)aes256_encrypt, 16, chain, n, body + 16,
			    plaintext);
	n += 16;
	if (c->encrypt_then_mac) {
		tls_hmac_add(&h, extra, peer_extra(c, number, type, n, extra));
		tls_hmac_add(&h, body, n);
		tls_hmac_end(&h, body + n, mac);
		n += mac;
	}
	return n;
}

/* given: the explicit nonce, which may be anything that does not come twice. */
static inline size_t peer_seal_aead(const struct tls_cipher *c, uint64_t number, uint64_t given,
				    uint8_t type, const uint8_t *data, size_t len, uint8_t *body)
{
	nettle_cipher_func *f = c->suite->key_bytes == 16 ? (nettle_cipher_func *)aes128_encrypt
							  : (nettle_cipher_func *)aes256_encrypt;
	size_t explicit = tls_cipher_nonce_bytes(c);
	size_t tag = tls_cipher_overhead(c) - explicit;
	uint8_t *out = body + explicit;
	uint8_t nonce[12];
	uint8_t extra[13];
	size_t extra_len = peer_extra(c, number, type, len, extra);

	memcpy(nonce, c->iv, 12);
	for (int i = 0; i < 8; i++) {
		uint8_t digit = (uint8_t)((explicit ? given : number) >> (56 - 8 * i));

		nonce[4 + i] = explicit ? digit : nonce[4 + i] ^ digit;
	}
	memcpy(body, nonce + 4, explicit);
	if (c->suite->mode == TLS_GCM) {
		struct gcm_key key;
		struct gcm_ctx gcm;

		gcm_set_key(&key, &c->aes128, f);
		gcm_set_iv(&gcm, &key, 12, nonce);
		gcm_update(&gcm, &key, extra_len, extra);
		gcm_encrypt(&gcm, &key, &c->aes128, f, len, out, data);
		gcm_digest(&gcm, &key, &c->aes128, f, tag, out + len);
	} else if (c->suite->mode == TLS_CHACHA20) {
		struct chacha_poly1305_ctx ctx;

		chacha_poly1305_set_key(&ctx, c->key);
		chacha_poly1305_set_nonce(&ctx, nonce);
		chacha_poly1305_update(&ctx, extra_len, extra);
		chacha_poly1305_encrypt(&ctx, len, out, data);
		chacha_poly1305_digest(&ctx, tag, out + len);
	} else {
		ccm_encrypt_message(&c->aes128, f, 12, nonce, extra_len, extra, tag, len + tag, out,
				    data);
	}
	return explicit + len + tag;
}

/* A record of that content, encrypted as the side encrypts now. */
static inline void peer_record(struct tls_peer *p, int side, uint8_t type, const void *data,
			       size_t len)
{
	const struct tls_cipher *c = &p->cipher[side];
	uint8_t record[TLS_HEADER_BYTES + TLS_BODY_MAX];
	uint8_t plaintext[TLS_BODY_MAX] = {0};
	uint64_t nonce = p->flags & PEER_COUNTED ? p->number[side] - 3
						 : p->number[side] * UINT64_C(0x9e3779b97f4a7c15);
	size_t n = len;

	memcpy(plaintext, data, len);
	if (!c->suite) {
		memcpy(record + 5, data, len);
	} else if (c->suite->mode == TLS_CBC) {
		n = peer_seal_cbc(c, p->number[side]++, type, plaintext, len, record + 5);
	} else if (tls_suite_is_tls13(c->suite)) {
		plaintext[len] = type;
		type = TLS_APPLICATION_DATA;
		n = peer_seal_aead(c, p->number[side]++, 0, type, plaintext, len + 1 + p->padding,
				   record + 5);
	} else {
		n = peer_seal_aead(c, p->number[side]++, nonce, type, plaintext, len, record + 5);
	}
	peer_header(record, type, n);
	peer_send(p, side, record, 5 + n);
}

/* --- the handshake --------------------------------------------------------------- */

static inline void peer_message(struct tls_peer *p, int side, uint8_t type, const void *body,
				size_t len)
{
	uint8_t message[4 + 512] = {type, 0, (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(message + 4, body, len);
	peer_record(p, side, TLS_HANDSHAKE, message, 4 + len);
}

static inline void peer_use(struct tls_peer *p, int side, enum tls_secret kind)
{
	memcpy(p->traffic[side], p->secret[kind], TLS_MASTER_BYTES);
	tls13_keys(&p->cipher[side], p->suite, p->traffic[side]);
	p->number[side] = 0;
}

static inline void peer_add(uint8_t *body, size_t *len, const char *bytes, size_t n)
{
	memcpy(body + *len, bytes, n);
	*len += n;
}

static inline void peer_client_hello(struct tls_peer *p)
{
	uint8_t body[128] = {3, 3};
	size_t n = 2;
	uint8_t suites[] = {0, 0, 2, (uint8_t)(p->suite->id >> 8), (uint8_t)p->suite->id, 1, 0};
	size_t list;

	memcpy(body + n, p->client_random, 32);
	n += 32;
	memcpy(body + n, suites, sizeof(suites));
	n += sizeof(suites);
	list = n;
	n += 2;
	if (p->flags & PEER_EARLY)
		peer_add(body, &n, "\0\x2a\0\0", 4);
	if (p->flags & PEER_ECH)
		peer_add(body, &n, "\xfe\x0d\0\1x", 5);
	body[list + 1] = (uint8_t)(n - list - 2);
	peer_message(p, 0, TLS_CLIENT_HELLO, body, n);
}

static inline void peer_server_hello(struct tls_peer *p, bool is_retry)
{
	static const uint8_t retry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
	uint8_t body[128] = {3, 3};
	uint8_t suite[] = {0, (uint8_t)(p->suite->id >> 8), (uint8_t)p->suite->id, 0};
	size_t n = 38;

	memcpy(body + 2, is_retry ? retry : p->server_random, 32);
	memcpy(body + 34, suite, sizeof(suite));
	if (tls_suite_is_tls13(p->suite)) {
		memcpy(body + n, "\0\6\0\x2b\0\2\3\4", 8);
		n += 8;
	} else if (p->flags & PEER_ENCRYPT_THEN_MAC) {
		memcpy(body + n, "\0\4\0\x16\0\0", 6);
		n += 6;
	}
	peer_message(p, 1, TLS_SERVER_HELLO, body, n);
}

static inline void peer_change_cipher(struct tls_peer *p, int side)
{
	peer_record(p, side, TLS_CHANGE_CIPHER_SPEC, "\1", 1);
}

static inline void peer_finish_12(struct tls_peer *p)
{
	struct tls_cipher cipher[2];

	tls12_keys(&cipher[0], &cipher[1], p->suite, p->secret[TLS_SECRET_MASTER], p->client_random,
		   p->server_random, p->flags & PEER_ENCRYPT_THEN_MAC);
	for (int side = 0; side < 2; side++) {
		peer_change_cipher(p, side);
		p->cipher[side] = cipher[side];
		p->number[side] = 0;
		peer_message(p, side, TLS_FINISHED, "twelve bytes", 12);
	}
}

static inline void peer_finish_13(struct tls_peer *p)
{
	uint8_t digest[TLS_HASH_MAX] = {1};
	uint8_t extensions[16] = {0, 0};
	size_t n = 2;

	if (p->flags & PEER_EARLY_TAKEN)
		peer_add(extensions, &n, "\0\x2a\0\0", 4);
	if (p->flags & PEER_ALPN_OTHER)
		peer_add(extensions, &n, "\0\x10\0\5\0\3\2xy", 9);
	extensions[1] = (uint8_t)(n - 2);
	peer_change_cipher(p, 1);
	peer_use(p, 1, TLS_SECRET_SERVER_HANDSHAKE);
	peer_message(p, 1, TLS_ENCRYPTED_EXTENSIONS, extensions, n);
	peer_message(p, 1, TLS_CERTIFICATE, digest, 20);
	peer_message(p, 1, TLS_FINISHED, digest, peer_hash_bytes(p));
	peer_use(p, 1, TLS_SECRET_SERVER_TRAFFIC);
	if (p->flags & PEER_EARLY_TAKEN)
		peer_message(p, 0, TLS_END_OF_EARLY_DATA, "", 0);
	memset(&p->cipher[0], 0, sizeof(p->cipher[0]));
	if (!(p->flags & PEER_EARLY))
		peer_change_cipher(p, 0);
	peer_use(p, 0, TLS_SECRET_CLIENT_HANDSHAKE);
	peer_message(p, 0, TLS_FINISHED, digest, peer_hash_bytes(p));
	peer_use(p, 0, TLS_SECRET_CLIENT_TRAFFIC);
	peer_message(p, 1, TLS_NEW_SESSION_TICKET, digest, 32);
}

/* Application data, expected in the output. */
static inline void tls_peer_data(struct tls_peer *p, bool is_client, const void *data, size_t len)
{
	int side = is_client ? 0 : 1;

	peer_record(p, side, TLS_APPLICATION_DATA, data, len);
	memcpy(p->plaintext[side] + p->plain_len[side], data, len);
	p->plain_len[side] += len;
}

static inline void tls_peer_key_update(struct tls_peer *p, bool is_client)
{
	int side = is_client ? 0 : 1;

	peer_message(p, side, TLS_KEY_UPDATE, "\0", 1);
	tls13_next_secret(p->suite, p->traffic[side]);
	tls13_keys(&p->cipher[side], p->suite, p->traffic[side]);
	p->number[side] = 0;
}

/* All up to the first bytes of the application. early: sent by the client with its hello. */
static inline void tls_peer_hello(struct tls_peer *p, uint16_t suite, unsigned flags,
				  const char *early)
{
	memset(p, 0, sizeof(*p));
	p->suite = tls_suite_find(suite);
	p->flags = flags;
	memset(p->client_random, 0xc1, 32);
	memset(p->server_random, 0x5e, 32);
	for (int i = 0; i < TLS_SECRET_MAX; i++)
		memset(p->secret[i], 0x10 + i, TLS_MASTER_BYTES);
	peer_client_hello(p);
	if (early) {
		peer_change_cipher(p, 0);
		peer_use(p, 0, TLS_SECRET_CLIENT_EARLY);
		if (flags & PEER_EARLY_TAKEN)
			tls_peer_data(p, true, early, strlen(early));
		else
			peer_record(p, 0, TLS_APPLICATION_DATA, early, strlen(early));
	}
	if (flags & PEER_RETRY) {
		peer_server_hello(p, true);
		p->flags &= ~(unsigned)PEER_EARLY;
		memset(&p->cipher[0], 0, sizeof(p->cipher[0]));
		peer_client_hello(p);
	}
	peer_server_hello(p, false);
	if (flags & PEER_NO_FINISHED)
		return;
	if (tls_suite_is_tls13(p->suite))
		peer_finish_13(p);
	else
		peer_finish_12(p);
}

static const uint16_t tls_peer_suites[] = {
	0x1301, 0x1302, 0x1303, 0x1304, 0x1305, /* TLS 1.3: each mode */
	0xc02f, 0xc030, 0xcca8, 0xc0ac, 0xc0ae, /* TLS 1.2, AEAD: each mode */
	0xc013, 0xc014, 0xc027, 0xc028, /* CBC with each MAC */
};

static const char tls_peer_request[] = "GET /a HTTP/1.1\r\nHost: example\r\n\r\n";

/* A conversation: requests and responses, of which the first are small and the last is long. */
static inline void tls_peer_converse(struct tls_peer *p, uint16_t suite, unsigned flags)
{
	char body[3000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)('a' + i * 7 % 26);
	tls_peer_hello(p, suite, flags, NULL);
	tls_peer_data(p, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	tls_peer_data(p, false, body, 40);
	tls_peer_data(p, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	for (size_t i = 0; i < 6; i++)
		tls_peer_data(p, false, body, 50 + i);
	tls_peer_data(p, false, body, sizeof(body));
	tls_peer_data(p, false, body, 1);
	peer_record(p, 0, TLS_ALERT, "\1\0", 2);
	peer_record(p, 1, TLS_ALERT, "\1\0", 2);
}

/* Adds the secrets of the connection to a table, with ECH under another random. */
static inline void tls_peer_tell(const struct tls_peer *p, struct tls_secrets *s, unsigned kinds)
{
	uint8_t random[TLS_RANDOM_BYTES];

	memcpy(random, p->client_random, sizeof(random));
	random[0] ^= p->flags & PEER_ECH ? 1 : 0;
	for (int kind = 0; kind < TLS_SECRET_MAX; kind++) {
		size_t len = kind == TLS_SECRET_MASTER ? TLS_MASTER_BYTES : peer_hash_bytes(p);

		if (kinds >> kind & 1)
			(void)tls_secrets_add(s, random, (enum tls_secret)kind,
					      (struct span){(const char *)p->secret[kind], len});
	}
}

#endif
