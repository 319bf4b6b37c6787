/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keys.h"

#include <string.h>

/* The maximum number of sessions that are tried for a connection with ECH. */
#define ECH_TRIALS 256

void tls_keys_begin(struct tls_stream *t, enum dir dir, enum tls_phase phase)
{
	struct tls_direction *d = &t->direction[dir];

	d->phase = phase;
	d->number = 0;
	d->undecrypted = 0;
	d->is_verified = false;
	tls_cipher_wipe(&d->cipher);
}

static bool is_client(const struct tls_stream *t, enum dir dir)
{
	return dir == t->client;
}

/* The kind of secret of TLS 1.3 for this phase. */
static enum tls_secret secret_of(const struct tls_stream *t, enum dir dir, enum tls_phase phase)
{
	switch (phase) {
	case TLS_PHASE_EARLY:
		return TLS_SECRET_CLIENT_EARLY;
	case TLS_PHASE_HANDSHAKE:
		return is_client(t, dir) ? TLS_SECRET_CLIENT_HANDSHAKE
					 : TLS_SECRET_SERVER_HANDSHAKE;
	default:
		return is_client(t, dir) ? TLS_SECRET_CLIENT_TRAFFIC : TLS_SECRET_SERVER_TRAFFIC;
	}
}

/* A secret has the length of the suite's hash, or belongs to another session. */
static const uint8_t *usable(const struct tls_stream *t, const struct tls_session_secrets *s,
			     enum tls_secret kind)
{
	return s && s->len[kind] == tls_hash_bytes(t->suite->hash) ? s->value[kind] : NULL;
}

static bool opens(const struct tls_stream *t, const uint8_t *secret, const struct tls_record *r)
{
	struct tls_cipher cipher;
	size_t len;
	bool is_it;

	tls13_keys(&cipher, t->suite, secret);
	is_it = tls_cipher_open(&cipher, 0, r->header, r->body, r->len, t->env->plaintext, &len);
	tls_cipher_wipe(&cipher);
	return is_it;
}

/*
 * With ECH the key log has the random of the inner ClientHello, which is encrypted. Therefore the
 * session whose secret decrypts the server's first record is used.
 */
static void find_by_trial(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	const struct tls_session_secrets *s = tls_secrets_newest(t->env->secrets);
	enum tls_secret kind = secret_of(t, dir, TLS_PHASE_HANDSHAKE);

	if (is_client(t, dir) || t->direction[dir].phase != TLS_PHASE_HANDSHAKE ||
	    t->direction[dir].number != 0 || !tls_record_is_complete(r))
		return;
	for (unsigned i = 0; s && i < ECH_TRIALS && !t->secrets; i++, s = s->older)
		if (usable(t, s, kind) && opens(t, s->value[kind], r))
			t->secrets = s;
}

static void find_secrets(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (!t->secrets)
		t->secrets = tls_secrets_find(t->env->secrets, t->client_random);
	if (!t->secrets && t->has_ech)
		find_by_trial(t, dir, r);
}

static bool set_keys_12(struct tls_stream *t, enum dir dir)
{
	struct tls_cipher other;
	struct tls_cipher *own = &t->direction[dir].cipher;

	if (!t->secrets || t->secrets->len[TLS_SECRET_MASTER] != TLS_MASTER_BYTES)
		return false;
	tls12_keys(is_client(t, dir) ? own : &other, is_client(t, dir) ? &other : own, t->suite,
		   t->secrets->value[TLS_SECRET_MASTER], t->client_random, t->server_random,
		   t->encrypt_then_mac);
	tls_cipher_wipe(&other);
	return true;
}

static bool set_keys_13(struct tls_stream *t, enum dir dir)
{
	struct tls_direction *d = &t->direction[dir];
	const uint8_t *secret = usable(t, t->secrets, secret_of(t, dir, d->phase));

	if (!secret && d->phase == TLS_PHASE_HANDSHAKE && t->env->has_all_secrets) {
		secret = usable(t, t->secrets, secret_of(t, dir, TLS_PHASE_TRAFFIC));
		if (secret)
			tls_keys_begin(t, dir, TLS_PHASE_TRIAL);
	}
	if (!secret)
		return false;
	tls13_keys(&d->cipher, t->suite, secret);
	if (d->phase == TLS_PHASE_TRAFFIC || d->phase == TLS_PHASE_TRIAL)
		memcpy(d->secret, secret, tls_hash_bytes(t->suite->hash));
	return true;
}

enum tls_keys tls_keys_ensure(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (t->direction[dir].cipher.suite)
		return TLS_KEYS_READY;
	find_secrets(t, dir, r);
	if (t->version == TLS_1_2 ? set_keys_12(t, dir) : set_keys_13(t, dir))
		return TLS_KEYS_READY;
	if (!t->env->has_all_secrets)
		return TLS_KEYS_AWAITED;
	tls_stream_fail(t, TLS_FAIL_NO_SECRET);
	return TLS_KEYS_NONE;
}

void tls_keys_update(struct tls_stream *t, enum dir dir)
{
	struct tls_direction *d = &t->direction[dir];

	tls13_next_secret(t->suite, d->secret);
	tls_keys_begin(t, dir, TLS_PHASE_TRAFFIC);
	tls13_keys(&d->cipher, t->suite, d->secret);
}

void tls_keys_wipe(struct tls_stream *t)
{
	for (int dir = 0; dir < 2; dir++) {
		tls_cipher_wipe(&t->direction[dir].cipher);
		explicit_bzero(t->direction[dir].secret, sizeof(t->direction[dir].secret));
	}
}
