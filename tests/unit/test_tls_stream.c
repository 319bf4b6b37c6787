/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plaintext of TLS connections: the trace of RFC 8448, and peers (tls_peer.h) that speak every
 * cipher suite; complete, cut at every byte, with late secrets. Missing bytes:
 * test_tls_gaps.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "hex.h"
#include "rfc8448.h"
#include "tls/keylog.h"
#include "tls_tap.h"

#define ALL	       (~0u)
#define EARLY	       (1u << TLS_SECRET_CLIENT_EARLY)
#define HANDSHAKE      (1u << TLS_SECRET_CLIENT_HANDSHAKE | 1u << TLS_SECRET_SERVER_HANDSHAKE)
#define CLIENT_TRAFFIC (1u << TLS_SECRET_CLIENT_TRAFFIC)
#define SERVER_TRAFFIC (1u << TLS_SECRET_SERVER_TRAFFIC)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_peer peer; /* large */

static struct tls_secrets *key_log(unsigned kinds)
{
	struct tls_secrets *s = tls_secrets_new(8);

	tls_peer_tell(&peer, s, kinds);
	return s;
}

static void converse(uint16_t suite, unsigned flags)
{
	tls_peer_converse(&peer, suite, flags);
}

static void check_all(const struct tls_tap *tap)
{
	for (int dir = 0; dir < 2; dir++) {
		assert_int_equal(tap->at[dir], tap->want_len[dir]);
		assert_int_equal(tap->missing[dir], 0);
		assert_int_equal(tap->fins[dir], 1);
	}
}

/* Decrypts everything with these secrets, complete and cut at every byte, or fails with `want`.
 */
static void check_secrets(unsigned kinds, enum tls_fail want)
{
	static const size_t segments[] = {TLS_BODY_MAX * 2, 1, 2, 3, 100};

	for (size_t i = 0; i < COUNT(segments); i++) {
		struct tls_secrets *s = key_log(kinds);
		struct tls_tap tap = tap_begin(s, true, &peer);

		tap_play(&tap, &peer, segments[i]);
		if (want == TLS_FAIL_NONE)
			check_all(&tap);
		assert_int_equal(tap_end(&tap), want);
		tls_secrets_free(s);
	}
}

static void test_rfc8448(void **state)
{
	static const struct {
		enum dir dir;
		const char *hex;
	} records[] = {
		{0, RFC8448_CLIENT_HELLO},    {1, RFC8448_SERVER_HELLO}, {1, RFC8448_SERVER_FLIGHT},
		{0, RFC8448_CLIENT_FINISHED}, {1, RFC8448_TICKET},	 {0, RFC8448_CLIENT_DATA},
		{1, RFC8448_SERVER_DATA},     {0, RFC8448_CLIENT_ALERT}, {1, RFC8448_SERVER_ALERT},
	};
	struct tls_keylog_stats stats = {0};
	struct tls_secrets *s = tls_secrets_new(8);
	uint8_t want[50];

	(void)state;
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)i;
	tls_keylog_add(s, span_of(RFC8448_KEYLOG), &stats);
	assert_int_equal(stats.secrets, 4);
	for (size_t segment = 1; segment < 800;
	     segment = segment < 8 ? segment + 1 : segment * 10) {
		struct tls_tap tap = tap_begin(s, true, NULL);
		uint8_t bytes[1024];

		for (int dir = 0; dir < 2; dir++) {
			tap.want[dir] = want;
			tap.want_len[dir] = sizeof(want);
		}
		for (size_t i = 0; i < COUNT(records); i++) {
			size_t len = hex_bytes(records[i].hex, bytes, sizeof(bytes));

			for (size_t at = 0; at < len; at += segment)
				tap_push(&tap, records[i].dir, bytes + at,
					 len - at < segment ? len - at : segment);
		}
		check_all(&tap);
		assert_int_equal(tap_end(&tap), TLS_FAIL_NONE);
	}
	tls_secrets_free(s);
}

static void test_every_suite(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		converse(tls_peer_suites[i], 0);
		check_secrets(ALL, TLS_FAIL_NONE);
		converse(tls_peer_suites[i], PEER_ENCRYPT_THEN_MAC);
		check_secrets(ALL, TLS_FAIL_NONE);
		check_secrets(0, TLS_FAIL_NO_SECRET);
	}
}

/* A record that is not decrypted does not increase the record number. */
static void test_traffic_secrets_alone(void **state)
{
	(void)state;
	converse(0x1302, 0);
	check_secrets(CLIENT_TRAFFIC | SERVER_TRAFFIC, TLS_FAIL_NONE);
	check_secrets(CLIENT_TRAFFIC, TLS_FAIL_NO_SECRET);
	check_secrets(HANDSHAKE, TLS_FAIL_NO_SECRET);
	check_secrets(HANDSHAKE | SERVER_TRAFFIC, TLS_FAIL_NO_SECRET);
}

static void test_key_update(void **state)
{
	(void)state;
	tls_peer_hello(&peer, 0x1301, 0, NULL);
	for (int i = 0; i < 3; i++) {
		tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
		tls_peer_key_update(&peer, true);
		tls_peer_data(&peer, false, "answer", 6);
		tls_peer_key_update(&peer, false);
	}
	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	peer_record(&peer, 0, TLS_ALERT, "\1\0", 2);
	peer_record(&peer, 1, TLS_ALERT, "\1\0", 2);
	check_secrets(ALL, TLS_FAIL_NONE);
}

static void test_padding(void **state)
{
	(void)state;
	tls_peer_hello(&peer, 0x1303, 0, NULL);
	peer.padding = 100;
	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	tls_peer_data(&peer, false, "answer", 6);
	tls_peer_data(&peer, false, "", 0);
	peer_record(&peer, 0, TLS_ALERT, "\1\0", 2);
	peer_record(&peer, 1, TLS_ALERT, "\1\0", 2);
	check_secrets(ALL, TLS_FAIL_NONE);
}

static void end_early(void)
{
	tls_peer_data(&peer, true, "the rest", 8);
	tls_peer_data(&peer, false, "answer", 6);
	peer_record(&peer, 0, TLS_ALERT, "\1\0", 2);
	peer_record(&peer, 1, TLS_ALERT, "\1\0", 2);
}

static void test_early_data(void **state)
{
	(void)state;
	tls_peer_hello(&peer, 0x1301, PEER_EARLY | PEER_EARLY_TAKEN, tls_peer_request);
	end_early();
	check_secrets(ALL, TLS_FAIL_NONE);
	check_secrets(ALL & ~EARLY, TLS_FAIL_NO_SECRET);
	tls_peer_hello(&peer, 0x1301, PEER_EARLY, tls_peer_request);
	end_early();
	check_secrets(ALL, TLS_FAIL_NONE);
	check_secrets(ALL & ~EARLY, TLS_FAIL_NONE);
	tls_peer_hello(&peer, 0x1301, PEER_EARLY | PEER_RETRY, tls_peer_request);
	end_early();
	check_secrets(ALL, TLS_FAIL_NONE);
}

static void test_retry(void **state)
{
	(void)state;
	tls_peer_hello(&peer, 0x1302, PEER_RETRY, NULL);
	end_early();
	check_secrets(ALL, TLS_FAIL_NONE);
}

/* ECH: the key log has the random of a hidden hello, among other sessions. */
static void test_ech(void **state)
{
	struct tls_secrets *s = tls_secrets_new(64);
	struct tls_tap tap;

	(void)state;
	tls_peer_hello(&peer, 0x1301, PEER_ECH, NULL);
	end_early();
	check_secrets(ALL, TLS_FAIL_NONE);
	tls_peer_tell(&peer, s, ALL);
	for (uint8_t i = 0; i < 40; i++) {
		uint8_t random[TLS_RANDOM_BYTES] = {i};

		for (int kind = 0; kind < TLS_SECRET_MAX; kind++)
			assert_true(tls_secrets_add(s, random, (enum tls_secret)kind,
						    (struct span){(const char *)random, 32}));
	}
	tap = tap_begin(s, true, &peer);
	tap_play(&tap, &peer, 1000);
	check_all(&tap);
	assert_int_equal(tap_end(&tap), TLS_FAIL_NONE);
	tls_secrets_free(s);
}

/* Renegotiation: a second handshake, encrypted with the keys of the first, with new randoms and
 * secrets. */
static void test_renegotiation(void **state)
{
	(void)state;
	for (size_t i = 5; i < COUNT(tls_peer_suites); i++) {
		struct tls_secrets *s = tls_secrets_new(8);
		struct tls_tap tap;

		tls_peer_hello(&peer, tls_peer_suites[i], 0, NULL);
		tls_peer_tell(&peer, s, ALL);
		tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
		memset(peer.client_random, 7, TLS_RANDOM_BYTES);
		memset(peer.secret[TLS_SECRET_MASTER], 9, TLS_MASTER_BYTES);
		tls_peer_tell(&peer, s, ALL);
		peer_client_hello(&peer);
		peer_server_hello(&peer, false);
		peer_finish_12(&peer);
		end_early();
		tap = tap_begin(s, true, &peer);
		tap_play(&tap, &peer, 7);
		check_all(&tap);
		assert_int_equal(tap_end(&tap), TLS_FAIL_NONE);
		tls_secrets_free(s);
	}
}

/* The order is kept, whenever secrets come; the record queue is bounded. */
static void test_late_secrets(void **state)
{
	static const unsigned kinds[] = {EARLY, HANDSHAKE, SERVER_TRAFFIC, CLIENT_TRAFFIC};

	(void)state;
	for (size_t order = 0; order < 24; order++) {
		struct tls_secrets *s = tls_secrets_new(8);
		struct tls_tap tap;
		unsigned left = 15;

		tls_peer_hello(&peer, 0x1301, PEER_EARLY | PEER_EARLY_TAKEN, tls_peer_request);
		end_early();
		tap = tap_begin(s, false, &peer);
		tap_play(&tap, &peer, order % 2 ? 1 : 1000);
		assert_int_equal(tap.at[0] + tap.at[1], 0);
		for (size_t i = 0, n = order; i < 4; n /= 4 - i, i++) {
			size_t at = 0;

			for (size_t skip = n % (4 - i); !(left >> at & 1) || skip-- > 0;)
				at++;
			left &= ~(1u << at);
			tls_peer_tell(&peer, s, kinds[at]);
			tls_stream_secrets(tap.stream, &tap_sink, &tap);
		}
		check_all(&tap);
		assert_int_equal(tap_end(&tap), TLS_FAIL_NONE);
		tls_secrets_free(s);
	}
}

static void test_held_is_bounded(void **state)
{
	struct tls_secrets *s = tls_secrets_new(8);
	struct tls_tap tap;
	char body[8000] = {0};

	(void)state;
	tls_peer_hello(&peer, 0x1301, 0, NULL);
	tap = tap_begin(s, false, &peer);
	tap_play(&tap, &peer, 1000);
	for (int i = 0; i < 100; i++) {
		peer.wire_len[0] = peer.segments = 0;
		peer_record(&peer, 0, TLS_APPLICATION_DATA, body, sizeof(body));
		assert_true(tap.stream->queue.bytes <= TLS_RECORD_QUEUE_MAX);
		tap_play(&tap, &peer, 1u << 20);
	}
	assert_int_equal(tap_end(&tap), TLS_FAIL_HELD);
	tap = tap_begin(s, false, &peer);
	tls_peer_hello(&peer, 0x1301, 0, NULL);
	tap_play(&tap, &peer, 1000);
	assert_int_equal(tap_end(&tap), TLS_FAIL_NO_SECRET);
	tls_secrets_free(s);
}

static void check_failure(const char *hex, enum dir dir, enum tls_fail want)
{
	struct tls_secrets *s = tls_secrets_new(8);
	struct tls_tap tap = tap_begin(s, true, NULL);
	uint8_t bytes[2048];
	size_t len = hex_bytes(hex, bytes, sizeof(bytes));

	tap_push(&tap, dir, bytes, len);
	assert_int_equal(tap_end(&tap), want);
	tls_secrets_free(s);
}

static void test_dark_reasons(void **state)
{
	(void)state;
	check_failure(RFC8448_SERVER_HELLO, 1, TLS_FAIL_JOINED);
	check_failure(RFC8448_CLIENT_DATA, 0, TLS_FAIL_JOINED);
	check_failure("16 03 01 ff ff 01", 0, TLS_FAIL_PROTOCOL); /* longer than a record may be */
	check_failure("47 45 54 20 2f", 0, TLS_FAIL_PROTOCOL);
	check_failure("16 03 01 00 05 01 ff ff ff 00", 0, TLS_FAIL_PROTOCOL);
	/* A list of extensions that is longer than the hello. */
	converse(0x1301, 0);
	peer.wire[0][5 + 4 + 2 + TLS_RANDOM_BYTES + 1 + 4 + 2 + 1] = 9;
	check_secrets(ALL, TLS_FAIL_PROTOCOL);
	converse(0x1301, PEER_ALPN_OTHER);
	check_secrets(ALL, TLS_FAIL_NOT_HTTP);
}

static void patch_hello(size_t at, uint8_t value, enum tls_fail want)
{
	converse(0xc02f, 0);
	peer.wire[1][5 + 4 + at] = value;
	check_secrets(ALL, want);
}

static void test_dark_hellos(void **state)
{
	(void)state;
	patch_hello(1, 2, TLS_FAIL_VERSION); /* TLS 1.1 */
	patch_hello(36, 0xff, TLS_FAIL_CIPHER);
	patch_hello(2, 0xff, TLS_FAIL_SECRET); /* another server random: other keys */
}

/* After a failure and after the end, the secrets are wiped from memory. */
static void test_keys_are_wiped(void **state)
{
	static const struct tls_cipher none;
	static const uint8_t no_secret[TLS_HASH_MAX];
	struct tls_secrets *s;
	struct tls_tap tap;

	(void)state;
	tls_peer_hello(&peer, 0x1301, 0, NULL);
	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	tls_peer_data(&peer, false, "answer", 6);
	s = key_log(ALL);
	tap = tap_begin(s, true, &peer);
	tap_play(&tap, &peer, 1000);
	assert_memory_not_equal(tap.stream->direction[0].secret, no_secret, TLS_HASH_MAX);
	tap_push(&tap, 1, "\x17\3\3\0\x20 and no record at all, for sure: not", 37);
	assert_int_equal(tap.stream->failure, TLS_FAIL_SECRET);
	for (int dir = 0; dir < 2; dir++) {
		assert_memory_equal(&tap.stream->direction[dir].cipher, &none, sizeof(none));
		assert_memory_equal(tap.stream->direction[dir].secret, no_secret, TLS_HASH_MAX);
	}
	assert_int_equal(tap_end(&tap), TLS_FAIL_SECRET);
	tls_secrets_free(s);
}

/* RFC 8446 section 6.1: data behind close_notify is ignored. */
static void test_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		converse(tls_peer_suites[i], 0);
		peer_record(&peer, 1, TLS_APPLICATION_DATA, "more", 4);
		check_secrets(ALL, TLS_FAIL_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8448),
		cmocka_unit_test(test_every_suite),
		cmocka_unit_test(test_traffic_secrets_alone),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_early_data),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_ech),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_late_secrets),
		cmocka_unit_test(test_held_is_bounded),
		cmocka_unit_test(test_dark_reasons),
		cmocka_unit_test(test_dark_hellos),
		cmocka_unit_test(test_keys_are_wiped),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
