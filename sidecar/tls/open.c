/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/content.h"
#include "tls/keys.h"
#include "tls/messages.h"
#include "tls/stream.h"

/*
 * The maximum number of records in TRIAL: a certificate chain in one record per message, or in
 * small ones.
 */
#define UNDECRYPTED_MAX 256

/*
 * The maximum number of records of rejected early data; more of them mean that the secret is wrong.
 */
#define REJECTED_MAX 1024

static bool fail(struct tls_stream *t, enum tls_fail why)
{
	tls_stream_fail(t, why);
	return true;
}

static bool plaintext_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (!tls_record_is_complete(r))
		return fail(t, TLS_FAIL_GAP);
	switch (r->header[0]) {
	case TLS_HANDSHAKE:
		tls_messages(t, dir, (struct span){(const char *)r->body, r->len});
		return true;
	case TLS_CHANGE_CIPHER_SPEC:
		tls_change_cipher(t, dir);
		return true;
	case TLS_APPLICATION_DATA:
		if (!t->has_hello)
			return fail(t, TLS_FAIL_JOINED);
		if (dir == t->client && t->awaits_early)
			return false;
		if (dir != t->client || !t->rejects_early)
			return fail(t, TLS_FAIL_PROTOCOL);
		t->env->stats.early_rejected++;
		return true;
	default:
		return true;
	}
}

/* Decrypts a complete record into env->plaintext. Returns false if its tag is wrong. */
static bool verify(struct tls_stream *t, const struct tls_direction *d, const struct tls_record *r,
		   struct span *ret)
{
	size_t len;

	if (!tls_cipher_open(&d->cipher, d->number, r->header, r->body, r->len, t->env->plaintext,
			     &len))
		return false;
	*ret = (struct span){(const char *)t->env->plaintext, len};
	return true;
}

/* True if the record is application data, which does not change the state of the stream. */
static bool is_application_data(const struct tls_stream *t, const struct tls_record *r,
				struct span plaintext)
{
	return t->version == TLS_1_3 ? tls_content_type(plaintext) == TLS_APPLICATION_DATA
				     : r->header[0] == TLS_APPLICATION_DATA;
}

/* As verify(), but does not check the tag of application data whose record number is certain. */
static bool decrypt(struct tls_stream *t, struct tls_direction *d, const struct tls_record *r,
		    struct span *ret)
{
	size_t overhead = tls_cipher_overhead(&d->cipher);

	if (r->len < overhead)
		return false;
	if (d->is_verified && tls_cipher_is_stream(&d->cipher)) {
		*ret = (struct span){(const char *)t->env->plaintext, r->len - overhead};
		tls_cipher_decrypt(&d->cipher, d->number, r->body, 0, ret->len, t->env->plaintext);
		if (is_application_data(t, r, *ret))
			return true;
	}
	d->is_verified = verify(t, d, r, ret);
	return d->is_verified;
}

/*
 * Tries a record in phase TRIAL: it belongs to the handshake, or is the first one of application
 * data.
 */
static void trial_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct span plaintext;

	if (tls_record_is_complete(r) && verify(t, d, r, &plaintext)) {
		d->phase = TLS_PHASE_TRAFFIC;
		d->is_verified = true;
		tls_stream_count_record(t, dir, r);
		tls_content(t, dir, r, plaintext);
	} else if (++d->undecrypted > UNDECRYPTED_MAX) {
		tls_stream_fail(t, TLS_FAIL_SECRET);
	}
}

/*
 * A record that can't be decrypted: early data that the server rejected comes before the handshake
 * continues.
 */
static void undecrypted_record(struct tls_stream *t, enum dir dir)
{
	struct tls_direction *d = &t->direction[dir];

	if (t->rejects_early && dir == t->client && d->number == 0 &&
	    d->phase == TLS_PHASE_HANDSHAKE && ++d->undecrypted <= REJECTED_MAX)
		t->env->stats.early_rejected++;
	else
		tls_stream_fail(t, TLS_FAIL_SECRET);
}

static void incomplete_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (t->direction[dir].phase == TLS_PHASE_TRAFFIC)
		tls_content_incomplete(t, dir, r);
	else
		tls_stream_fail(t, TLS_FAIL_GAP);
}

bool tls_stream_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct span plaintext;

	/* RFC 8446 section 6.1: bytes behind close_notify are ignored. */
	if (d->has_ended)
		return true;
	if (d->phase == TLS_PHASE_PLAINTEXT)
		return plaintext_record(t, dir, r);
	/* In TLS 1.3 only these two types are not encrypted (RFC 8446 section 5). */
	if (t->version == TLS_1_3 && r->header[0] != TLS_APPLICATION_DATA) {
		if (r->header[0] == TLS_CHANGE_CIPHER_SPEC || r->header[0] == TLS_ALERT)
			return true;
		return fail(t, TLS_FAIL_PROTOCOL);
	}
	if (d->phase == TLS_PHASE_EARLY && t->awaits_early)
		return false;
	switch (tls_keys_ensure(t, dir, r)) {
	case TLS_KEYS_READY:
		break;
	case TLS_KEYS_AWAITED:
		tls_waiting_add(t, r->last_ns);
		return false;
	case TLS_KEYS_NONE:
		return true;
	}
	if (d->phase == TLS_PHASE_TRIAL) {
		trial_record(t, dir, r);
	} else if (!tls_record_is_complete(r)) {
		incomplete_record(t, dir, r);
	} else if (decrypt(t, d, r, &plaintext)) {
		tls_stream_count_record(t, dir, r);
		tls_content(t, dir, r, plaintext);
	} else {
		undecrypted_record(t, dir);
	}
	return true;
}
