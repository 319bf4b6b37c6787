/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of TLS that come before connections need them, and while they wait for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tls_observer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint16_t suites[] = {0x1301, 0xc02f};

static void test_late_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(suites); i++) {
		struct observer o;
		struct wire w;

		observer_begin(&o);
		w = open_server(&o, 1);
		assert_false(engine_awaits_secrets(o.engine));
		hello_with_request(suites[i]);
		tls_peer_data(&peer, false, tls_observer_response,
			      sizeof(tls_observer_response) - 1);
		play(&w, 0);
		assert_true(engine_awaits_secrets(o.engine));
		assert_string_equal(o.log.ptr, "");
		tell(&o);
		assert_false(engine_awaits_secrets(o.engine));
		assert_string_equal(o.log.ptr, "GET /a 200 0/5\n");
		wire_close(&w, false);
		assert_int_equal(engine_stats(o.engine)->tls.failed[TLS_FAIL_NO_SECRET], 0);
		for (int version = 0; version < TLS_HANDSHAKE_VERSIONS; version++)
			assert_int_equal(
				engine_stats(o.engine)->tls.handshakes[DIR_INGRESS][version],
				version == tls_suite_is_tls13(peer.suite));
		observer_end(&o);
	}
}

/* Those that exist when the first encrypted record comes are fetched: nothing waits. */
static void test_fetched_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(suites); i++) {
		struct observer o;
		struct wire w;

		observer_begin(&o);
		w = open_server(&o, 1);
		hello_with_request(suites[i]);
		tls_peer_data(&peer, false, tls_observer_response,
			      sizeof(tls_observer_response) - 1);
		o.has_offer = true;
		play(&w, 0);
		assert_int_equal(o.fetches, 1);
		assert_false(engine_awaits_secrets(o.engine));
		assert_string_equal(o.log.ptr, "GET /a 200 0/5\n");
		observer_end(&o);
	}
}

/* Secrets have come when something happens that may end the decryption of a connection that waits:
 * its queue may be full, bytes were not copied, it ends. */
static void check_last_moment(void (*happen)(struct wire *w))
{
	struct observer o;
	struct wire w;

	observer_begin(&o);
	w = open_server(&o, 1);
	hello_with_request(0x1301);
	tls_peer_data(&peer, false, tls_observer_response, sizeof(tls_observer_response) - 1);
	play(&w, 0);
	assert_true(engine_awaits_secrets(o.engine));
	o.has_offer = true;
	happen(&w);
	assert_string_equal(o.log.ptr, "GET /a 200 0/5\n");
	for (unsigned why = 0; why < TLS_FAIL_MAX; why++)
		assert_int_equal(engine_stats(o.engine)->tls.failed[why], 0);
	observer_end(&o);
}

static void more_data(struct wire *w)
{
	size_t at = peer.segments;

	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	play(w, at);
}

static void skip_bytes(struct wire *w)
{
	wire_skip(w, DIR_EGRESS, 100000);
}

static void end(struct wire *w)
{
	wire_close(w, false);
}

static void test_last_moment(void **state)
{
	(void)state;
	check_last_moment(more_data);
	check_last_moment(skip_bytes);
	check_last_moment(end);
}

/* Both ends of a connection are observed, and wait when the secrets come, of one process or two. */
static void test_both_ends(void **state)
{
	(void)state;
	for (uint64_t object = 0; object < 2; object++) {
		struct observer o;
		struct wire w[2];

		observer_begin(&o);
		hello_with_request(0x1301);
		tls_peer_data(&peer, false, tls_observer_response,
			      sizeof(tls_observer_response) - 1);
		for (size_t i = 0; i < COUNT(w); i++) {
			w[i] = open_server(&o, 1 + i);
			play(&w[i], 0);
		}
		add_secrets(&o, object);
		assert_true(engine_resume_secrets(o.engine, ++o.now_ns));
		assert_false(engine_awaits_secrets(o.engine));
		assert_string_equal(o.log.ptr, "GET /a 200 0/5\nGET /a 200 0/5\n");
		observer_end(&o);
	}
}

/* A connection of another random, with records that no secret opens. */
static void play_dark(struct observer *o, uint8_t number)
{
	struct wire w = open_server(o, 100 + number);
	uint8_t *server = peer.wire[1];

	hello_with_request(0x1301);
	peer.wire[0][11] ^= 0x5a; /* the random begins there */
	peer.wire[0][12] = number;
	for (size_t at = 0; at + 5 < peer.wire_len[1];
	     at += 5 + (server[at + 3] << 8 | server[at + 4]))
		if (server[at] == TLS_APPLICATION_DATA)
			server[at + 5] ^= 0xff;
	play(&w, 0);
}

enum way { BY_CLOSE, BY_ROUNDS, BY_EXPIRY };

/* Connections without secrets have more to try than a round has time for. The last one's secrets
 * are there: it goes on at once if they have its name, and otherwise in time. */
static void check_cut_round(bool is_named, enum way way)
{
	struct observer o;
	struct wire w;
	bool is_whole = false;

	observer_begin(&o);
	w = open_server(&o, 1);
	hello_with_request(0x1301);
	tls_peer_data(&peer, false, tls_observer_response, sizeof(tls_observer_response) - 1);
	play(&w, 0);
	for (uint8_t i = 0; i < 100; i++)
		play_dark(&o, i);
	for (uint8_t i = 0; i < 20; i++) {
		memset(peer.secret, i + 100, sizeof(peer.secret));
		add_secrets(&o, 1000 + i);
	}
	hello_with_request(0x1301); /* the same secrets each time */
	add_secrets(&o, is_named ? 0 : 7);
	assert_false(engine_resume_secrets(o.engine, ++o.now_ns));
	assert_string_equal(o.log.ptr, is_named ? "GET /a 200 0/5\n" : "");
	if (way == BY_CLOSE)
		wire_close(&w, false);
	if (way == BY_EXPIRY)
		assert_int_equal(engine_expire_secrets(o.engine, o.now_ns + 4000000000), 100);
	if (way == BY_ROUNDS) {
		for (unsigned round = 2; !is_whole; round++) {
			assert_true(round < 20);
			is_whole = engine_resume_secrets(o.engine, ++o.now_ns);
		}
	}
	assert_string_equal(o.log.ptr, "GET /a 200 0/5\n");
	observer_end(&o);
}

static void test_cut_rounds(void **state)
{
	(void)state;
	for (int is_named = 0; is_named < 2; is_named++)
		for (int way = BY_CLOSE; way <= BY_EXPIRY; way++)
			check_cut_round(is_named, (enum way)way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_secrets), cmocka_unit_test(test_fetched_secrets),
		cmocka_unit_test(test_last_moment),  cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_cut_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
