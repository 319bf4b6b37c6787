/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keys.h"

#include <string.h>

/* Sessions of which one connection tries the secrets at a time: the nearest ones. */
#define TRIALS 256

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

static void use(struct tls_stream *t, struct tls_session_secrets *s)
{
	tls_secrets_hold(s);
	t->secrets = s;
}

void tls_keys_forget(struct tls_stream *t)
{
	tls_secrets_release(t->env->secrets, t->secrets);
	t->secrets = NULL;
}

/* Sets the keys of a direction, and wipes those of the other. */
static void derive_12(const struct tls_stream *t, enum dir dir, const uint8_t *master,
		      struct tls_cipher *own)
{
	struct tls_cipher other;

	tls12_keys(is_client(t, dir) ? own : &other, is_client(t, dir) ? &other : own, t->suite,
		   master, t->client_random, t->server_random, t->encrypt_then_mac);
	tls_cipher_wipe(&other);
}

static bool opens_12(const struct tls_stream *t, enum dir dir, const uint8_t *master,
		     const struct tls_record *r)
{
	struct tls_cipher cipher;
	size_t len;
	bool is_it;

	derive_12(t, dir, master, &cipher);
	is_it = tls_cipher_open(&cipher, 0, r->header, r->body, r->len, t->env->plaintext, &len);
	tls_cipher_wipe(&cipher);
	return is_it;
}

static bool is_first_record(const struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	const struct tls_direction *d = &t->direction[dir];

	if (d->number != 0 || !tls_record_is_complete(r))
		return false;
	if (t->version == TLS_1_2)
		return d->phase == TLS_PHASE_TRAFFIC;
	return !is_client(t, dir) && d->phase == TLS_PHASE_HANDSHAKE &&
	       r->header[0] == TLS_APPLICATION_DATA;
}

/* Sessions in the order of their distance in time from a moment. */
struct nearest {
	struct tls_session_secrets *older; /* the next one on this side; NULL: there is none */
	struct tls_session_secrets *newer;
	uint64_t time_ns;
};

static struct nearest nearest_to(const struct tls_secrets *secrets, uint64_t time_ns)
{
	struct nearest n = {.older = tls_secrets_newest(secrets), .time_ns = time_ns};

	while (n.older && n.older->added_ns > time_ns) {
		n.newer = n.older;
		n.older = n.older->older;
	}
	return n;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* NULL: there are no more. The order of sessions is that of their times but for a moment. */
static struct tls_session_secrets *nearest_next(struct nearest *n)
{
	struct tls_session_secrets *s = n->older;

	if (!s || (n->newer &&
		   distance(n->newer->added_ns, n->time_ns) < distance(s->added_ns, n->time_ns))) {
		s = n->newer;
		n->newer = s ? s->newer : NULL;
	} else {
		n->older = s->older;
	}
	return s;
}

static bool fits(const struct tls_stream *t, enum dir dir, const struct tls_session_secrets *s,
		 const struct tls_record *r)
{
	enum tls_secret kind = secret_of(t, dir, TLS_PHASE_HANDSHAKE);

	if (t->version == TLS_1_2)
		return s->len[TLS_SECRET_MASTER] == TLS_MASTER_BYTES &&
		       opens_12(t, dir, s->value[TLS_SECRET_MASTER], r);
	return usable(t, s, kind) && opens(t, s->value[kind], r);
}

/*
 * With ECH the secrets are filed under the random of the inner ClientHello, which is encrypted, and
 * some libraries log no random: it is the session whose secret opens the server's first record, in
 * TLS 1.2 the first of either side. A server logs its secrets a moment before it sends that record,
 * and a client when it has read it.
 */
static void find_by_trial(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	const uint64_t turn = tls_secrets_turn(t->env->secrets, t->has_ech);
	struct tls_session_secrets *s;
	unsigned trials = 0;
	struct nearest n;

	if (!is_first_record(t, dir, r) || t->tried >= turn)
		return;
	n = nearest_to(t->env->secrets, r->first_ns);
	while (trials < TRIALS && (s = nearest_next(&n))) {
		if (s->turn <= t->tried || (!s->is_nameless && !t->has_ech))
			continue;
		trials++;
		if (fits(t, dir, s, r)) {
			use(t, s);
			break;
		}
	}
	t->env->trials += trials ? trials : 1; /* to look is not free either */
	t->tried = turn;
}

static void find_by_name(struct tls_stream *t)
{
	if (!t->secrets)
		use(t, tls_secrets_find(t->env->secrets, t->client_random));
}

bool tls_keys_find(struct tls_stream *t, bool may_try)
{
	bool has_first[2] = {false, false};

	find_by_name(t);
	for (const struct tls_queued_record *h = t->queue.first; may_try && h && !t->secrets;
	     h = h->next) {
		if (!has_first[h->dir] && !h->is_fin)
			find_by_trial(t, h->dir, &h->record);
		has_first[h->dir] = true;
	}
	return t->secrets || may_try || t->tried >= tls_secrets_turn(t->env->secrets, t->has_ech);
}

static bool set_keys_12(struct tls_stream *t, enum dir dir)
{
	if (!t->secrets || t->secrets->len[TLS_SECRET_MASTER] != TLS_MASTER_BYTES)
		return false;
	derive_12(t, dir, t->secrets->value[TLS_SECRET_MASTER], &t->direction[dir].cipher);
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

/* Both directions have the keys of application data: what follows is derived from those. */
static bool has_all_keys(const struct tls_stream *t)
{
	for (int dir = 0; dir < 2; dir++)
		if (t->direction[dir].phase != TLS_PHASE_TRAFFIC || !t->direction[dir].cipher.suite)
			return false;
	return true;
}

static void establish(struct tls_stream *t)
{
	unsigned version = t->version == TLS_1_3 ? TLS_HANDSHAKE_1_3 : TLS_HANDSHAKE_1_2;

	t->env->stats.handshakes[t->client][version] += !t->is_established;
	t->is_established = true;
	/* Another one that waits may be the other end of this connection. */
	if (t->env->waiting.count)
		tls_secrets_release_used(t->env->secrets, t->secrets);
	else
		tls_secrets_release(t->env->secrets, t->secrets);
	t->secrets = NULL;
}

static bool set_keys(struct tls_stream *t, enum dir dir)
{
	return t->version == TLS_1_2 ? set_keys_12(t, dir) : set_keys_13(t, dir);
}

/* By name, then among those that come now, then by trial, which takes longer. */
static bool find_keys(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	const struct tls_env *env = t->env;

	find_by_name(t);
	if (set_keys(t, dir))
		return true;
	if (env->fetch && env->fetch(env->fetch_ctx))
		find_by_name(t);
	if (!t->secrets)
		find_by_trial(t, dir, r);
	return set_keys(t, dir);
}

enum tls_keys tls_keys_ensure(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (t->direction[dir].cipher.suite)
		return TLS_KEYS_READY;
	if (find_keys(t, dir, r)) {
		if (has_all_keys(t))
			establish(t);
		return TLS_KEYS_READY;
	}
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
	tls_keys_forget(t);
	for (int dir = 0; dir < 2; dir++) {
		tls_cipher_wipe(&t->direction[dir].cipher);
		explicit_bzero(t->direction[dir].secret, sizeof(t->direction[dir].secret));
	}
}
