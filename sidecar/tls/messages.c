/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/messages.h"

#include <string.h>

#include "tls/certificate.h"
#include "tls/keys.h"

/* The context of on_message(). */
struct reading {
	struct tls_stream *t;
	enum dir dir;
};

static bool fail(struct tls_stream *t, enum tls_fail why)
{
	tls_stream_fail(t, why);
	return false;
}

static bool take_alpn(struct tls_stream *t, enum tls_alpn alpn)
{
	if (alpn != TLS_ALPN_NONE)
		t->alpn = alpn;
	return alpn != TLS_ALPN_OTHER || fail(t, TLS_FAIL_NOT_HTTP);
}

static bool on_client_hello(struct tls_stream *t, enum dir dir, struct span body)
{
	struct tls_client_hello hello;

	if (!tls_client_hello_parse(body, &hello) || (t->has_hello && dir != t->client))
		return fail(t, TLS_FAIL_PROTOCOL);
	t->client = dir;
	t->has_hello = true;
	t->has_ech = hello.has_ech;
	/* After a HelloRetryRequest there is no early data (RFC 8446 section 4.1.2). */
	t->awaits_early = hello.has_early_data;
	memcpy(t->client_random, hello.random, TLS_RANDOM_BYTES);
	tls_keys_forget(t);
	return true;
}

static bool begin_13(struct tls_stream *t)
{
	tls_keys_begin(t, dir_other(t->client), TLS_PHASE_HANDSHAKE);
	tls_keys_begin(t, t->client, t->awaits_early ? TLS_PHASE_EARLY : TLS_PHASE_HANDSHAKE);
	return true;
}

static bool on_server_hello(struct tls_stream *t, enum dir dir, struct span body)
{
	struct tls_server_hello hello;
	const struct tls_suite *suite;

	if (!t->has_hello)
		return fail(t, TLS_FAIL_JOINED);
	if (!tls_server_hello_parse(body, &hello) || dir == t->client ||
	    (t->version && t->version != hello.version))
		return fail(t, TLS_FAIL_PROTOCOL);
	if (hello.version != TLS_1_2 && hello.version != TLS_1_3)
		return fail(t, TLS_FAIL_VERSION);
	if (hello.is_retry) {
		t->rejects_early = t->awaits_early;
		t->awaits_early = false;
		return true;
	}
	suite = tls_suite_find(hello.suite);
	if (!suite || tls_suite_is_tls13(suite) != (hello.version == TLS_1_3))
		return fail(t, TLS_FAIL_CIPHER);
	t->version = hello.version;
	t->suite = suite;
	t->encrypt_then_mac = hello.encrypt_then_mac && suite->mode == TLS_CBC;
	memcpy(t->server_random, hello.random, TLS_RANDOM_BYTES);
	if (t->version == TLS_1_3)
		return begin_13(t);
	t->direction[dir].handshake.wants_certificate = dir == DIR_EGRESS;
	/* A server of TLS 1.2 does not know early data: the client has to reconnect. */
	t->awaits_early = false;
	return take_alpn(t, hello.alpn);
}

/* A certificate that cannot be read is no reason to give up the connection. */
static void on_certificate(struct tls_stream *t, struct span body)
{
	int64_t seconds;

	if (body.len > 0 && tls_certificate_expiry(body, &seconds))
		t->env->stats.certificate_expiry = seconds;
}

static bool on_encrypted_extensions(struct tls_stream *t, struct span body)
{
	struct tls_encrypted_extensions extensions;

	if (!tls_encrypted_extensions_parse(body, &extensions))
		return fail(t, TLS_FAIL_PROTOCOL);
	if (t->awaits_early && !extensions.has_early_data) {
		t->rejects_early = true;
		tls_keys_begin(t, t->client, TLS_PHASE_HANDSHAKE);
	}
	t->awaits_early = false;
	return take_alpn(t, extensions.alpn);
}

static bool on_message(void *ctx, uint8_t type, struct span body)
{
	struct reading *r = ctx;
	struct tls_stream *t = r->t;
	struct tls_direction *d = &t->direction[r->dir];

	switch (type) {
	case TLS_CLIENT_HELLO:
		return on_client_hello(t, r->dir, body);
	case TLS_SERVER_HELLO:
		return on_server_hello(t, r->dir, body);
	case TLS_ENCRYPTED_EXTENSIONS:
		return t->version != TLS_1_3 || on_encrypted_extensions(t, body);
	case TLS_CERTIFICATE:
		on_certificate(t, body);
		return true;
	case TLS_END_OF_EARLY_DATA:
		if (d->phase == TLS_PHASE_EARLY)
			tls_keys_begin(t, r->dir, TLS_PHASE_HANDSHAKE);
		return true;
	case TLS_FINISHED:
		if (t->version == TLS_1_3 && d->phase == TLS_PHASE_HANDSHAKE)
			tls_keys_begin(t, r->dir, TLS_PHASE_TRAFFIC);
		return true;
	case TLS_KEY_UPDATE:
		if (t->version == TLS_1_3 && d->phase == TLS_PHASE_TRAFFIC)
			tls_keys_update(t, r->dir);
		return true;
	default:
		return true;
	}
}

void tls_messages(struct tls_stream *t, enum dir dir, struct span content)
{
	struct reading r = {t, dir};

	if (!tls_handshake_data(&t->direction[dir].handshake, content, t->memory, on_message, &r) &&
	    !t->failure)
		tls_stream_fail(t, TLS_FAIL_PROTOCOL);
}

void tls_change_cipher(struct tls_stream *t, enum dir dir)
{
	/*
	 * TLS 1.3 ignores it (RFC 8446 section 5). A client that offers early data sends it before
	 * the version is known.
	 */
	if (t->version == TLS_1_2)
		tls_keys_begin(t, dir, TLS_PHASE_TRAFFIC);
}
