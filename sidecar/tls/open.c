/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/content.h"
#include "tls/keys.h"
#include "tls/messages.h"
#include "tls/stream.h"

/* Records that stay closed until the first of application data: a chain of certificates, in a
 * record for each message, or cut into small ones. */
#define UNOPENED_MAX 256

/* Early data that a server may let through: beyond it, the secret is wrong. */
#define REJECTED_MAX 1024

static bool dark(struct tls_stream *t, enum tls_dark why)
{
	tls_stream_set_dark(t, why);
	return true;
}

static bool plain_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (!tls_record_is_whole(r))
		return dark(t, TLS_DARK_GAP);
	switch (r->header[0]) {
	case TLS_HANDSHAKE:
		tls_messages(t, dir, (struct span){(const char *)r->body, r->len});
		return true;
	case TLS_CHANGE_CIPHER_SPEC:
		tls_change_cipher(t, dir);
		return true;
	case TLS_APPLICATION_DATA:
		if (!t->has_hello)
			return dark(t, TLS_DARK_JOINED);
		if (dir == t->client && t->awaits_early)
			return false;
		if (dir != t->client || !t->rejects_early)
			return dark(t, TLS_DARK_PROTOCOL);
		t->env->stats.early_rejected++;
		return true;
	default:
		return true;
	}
}

/* Whole, and its tag is right. The plaintext is in env->plain. */
static bool verify(struct tls_stream *t, const struct tls_direction *d, const struct tls_record *r,
		   struct span *ret)
{
	size_t len;

	if (!tls_cipher_open(&d->cipher, d->number, r->header, r->body, r->len, t->env->plain,
			     &len))
		return false;
	*ret = (struct span){(const char *)t->env->plain, len};
	return true;
}

/* What changes nothing but the plaintext that goes out. */
static bool is_application_data(const struct tls_stream *t, const struct tls_record *r,
				struct span plain)
{
	return t->version == TLS_1_3 ? tls_content_type(plain) == TLS_APPLICATION_DATA
				     : r->header[0] == TLS_APPLICATION_DATA;
}

/* As verify(), without a look at the tag of application data whose number is certain. */
static bool decrypt(struct tls_stream *t, struct tls_direction *d, const struct tls_record *r,
		    struct span *ret)
{
	size_t overhead = tls_cipher_overhead(&d->cipher);

	if (r->len < overhead)
		return false;
	if (d->is_verified && tls_cipher_is_stream(&d->cipher)) {
		*ret = (struct span){(const char *)t->env->plain, r->len - overhead};
		tls_cipher_decrypt(&d->cipher, d->number, r->body, 0, ret->len, t->env->plain);
		if (is_application_data(t, r, *ret))
			return true;
	}
	d->is_verified = verify(t, d, r, ret);
	return d->is_verified;
}

/* A record of the handshake, or the first one of application data. */
static void trial_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct span plain;

	if (tls_record_is_whole(r) && verify(t, d, r, &plain)) {
		d->phase = TLS_PHASE_TRAFFIC;
		d->is_verified = true;
		d->number++;
		tls_content(t, dir, r, plain);
	} else if (++d->unopened > UNOPENED_MAX) {
		tls_stream_set_dark(t, TLS_DARK_SECRET);
	}
}

/* It does not open: early data that the server did not take comes before the handshake goes on. */
static void unopened_record(struct tls_stream *t, enum dir dir)
{
	struct tls_direction *d = &t->direction[dir];

	if (t->rejects_early && dir == t->client && d->number == 0 &&
	    d->phase == TLS_PHASE_HANDSHAKE && ++d->unopened <= REJECTED_MAX)
		t->env->stats.early_rejected++;
	else
		tls_stream_set_dark(t, TLS_DARK_SECRET);
}

static void cut_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (t->direction[dir].phase == TLS_PHASE_TRAFFIC)
		tls_content_cut(t, dir, r);
	else
		tls_stream_set_dark(t, TLS_DARK_GAP);
}

bool tls_stream_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	struct span plain;

	/* RFC 8446 section 6.1: what comes behind close_notify is ignored. */
	if (d->has_ended)
		return true;
	if (d->phase == TLS_PHASE_PLAIN)
		return plain_record(t, dir, r);
	/* In TLS 1.3 only these two are not encrypted: RFC 8446 section 5. */
	if (t->version == TLS_1_3 && r->header[0] != TLS_APPLICATION_DATA) {
		if (r->header[0] == TLS_CHANGE_CIPHER_SPEC || r->header[0] == TLS_ALERT)
			return true;
		return dark(t, TLS_DARK_PROTOCOL);
	}
	if (d->phase == TLS_PHASE_EARLY && t->awaits_early)
		return false;
	switch (tls_keys_ensure(t, dir, r)) {
	case TLS_KEYS_READY:
		break;
	case TLS_KEYS_AWAITED:
		t->is_waiting = true;
		return false;
	case TLS_KEYS_NONE:
		return true;
	}
	if (d->phase == TLS_PHASE_TRIAL) {
		trial_record(t, dir, r);
	} else if (!tls_record_is_whole(r)) {
		cut_record(t, dir, r);
	} else if (decrypt(t, d, r, &plain)) {
		d->number++;
		tls_content(t, dir, r, plain);
	} else {
		unopened_record(t, dir);
	}
	return true;
}
