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
		hello_with_exchange(suites[i]);
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
		hello_with_exchange(suites[i]);
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
	hello_with_exchange(0x1301);
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
		hello_with_exchange(0x1301);
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

enum source { BY_FETCH, IN_TABLE, IN_TABLE_NAMELESS };

/* The first end goes on with an event of its own: what it has used up is still there for the other,
 * until the next round, and not behind it. */
static void check_both_ends_by_event(enum source source, bool is_close)
{
	struct observer o;
	struct wire w[2];
	size_t at;

	observer_begin(&o);
	hello_with_exchange(0x1301);
	for (size_t i = 0; i < COUNT(w); i++) {
		w[i] = open_server(&o, 1 + i);
		play(&w[i], 0);
	}
	o.has_offer = source == BY_FETCH;
	if (source != BY_FETCH)
		add_secrets(&o, source == IN_TABLE ? 0 : 7);
	at = peer.segments;
	if (is_close) {
		wire_close(&w[0], false);
	} else {
		tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
		play(&w[0], at);
	}
	assert_string_equal(o.log.ptr, "GET /a 200 0/5\n");
	assert_int_equal(tls_secrets_sessions(o.secrets), 1);
	assert_true(engine_resume_secrets(o.engine, ++o.now_ns));
	assert_string_equal(o.log.ptr, "GET /a 200 0/5\nGET /a 200 0/5\n");
	assert_int_equal(tls_secrets_sessions(o.secrets), 0);
	observer_end(&o);
}

static void test_both_ends_by_event(void **state)
{
	(void)state;
	for (int source = BY_FETCH; source <= IN_TABLE_NAMELESS; source++)
		for (int is_close = 0; is_close < 2; is_close++)
			check_both_ends_by_event((enum source)source, is_close);
}

/* Connections that say what the peers say, and wait, until there is no room for another one that
 * leaves so many bytes. Returns the next id. */
static uint64_t open_until_full(struct observer *o, uint64_t id, size_t rest)
{
	const struct engine_stats *stats = engine_stats(o->engine);
	size_t each = 0;

	while (stats->memory_used + each + rest < OBSERVER_MEMORY) {
		size_t used = stats->memory_used;
		struct wire w = open_server(o, id++);

		play(&w, 0);
		stats = engine_stats(o->engine);
		each = stats->memory_used - used;
	}
	return id;
}

/*
 * A connection waits, has its secrets in the table, and is evicted while the plaintext of another
 * one is read, which needs its memory: it is not decrypted into the same buffer.
 */
static void test_evicted_while_another_is_read(void **state)
{
	static struct tls_peer reading;
	static char bytes[8000];
	struct observer o;
	uint8_t random;
	struct wire w;
	uint64_t id;
	size_t at;

	(void)state;
	observer_begin(&o);
	w = open_server(&o, 1);
	hello_with_request(0x1301);
	o.has_offer = true;
	play(&w, 0);
	reading = peer;
	hello_with_request(0x1301);
	peer.wire[0][11] ^= 0x5a; /* the random begins there */
	peer.client_random[0] ^= 0x5a;
	memset(bytes, 'X', sizeof(bytes));
	for (int i = 0; i < 8; i++)
		tls_peer_data(&peer, false, bytes, sizeof(bytes));
	id = open_until_full(&o, 2, 20000);
	random = peer.client_random[0];
	hello_with_request(0x1301);
	peer.wire[0][11] ^= 0x33;
	(void)open_until_full(&o, id, 0);
	assert_true(engine_awaits_secrets(o.engine));
	assert_int_equal(engine_stats(o.engine)->conns_evicted_memory, 0);
	peer.client_random[0] = random;
	add_secrets(&o, 0);
	peer = reading;
	at = peer.segments;
	memset(bytes, 'y', sizeof(bytes));
	tls_peer_data(&peer, false, tls_observer_response, sizeof(tls_observer_response) - 1);
	tls_peer_data(&peer, true, "GET /b HTTP/1.1\r\nx: ", 20);
	tls_peer_data(&peer, true, bytes, sizeof(bytes));
	tls_peer_data(&peer, true, "\r\n\r\n", 4);
	tls_peer_data(&peer, false, tls_observer_response, sizeof(tls_observer_response) - 1);
	play(&w, at);
	assert_true(engine_stats(o.engine)->conns_evicted_memory > 0);
	assert_string_equal(o.log.ptr, "GET /a 200 0/5\nGET /b 200 0/5\n");
	observer_end(&o);
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
	hello_with_exchange(0x1301);
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
		cmocka_unit_test(test_late_secrets),
		cmocka_unit_test(test_fetched_secrets),
		cmocka_unit_test(test_last_moment),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_cut_rounds),
		cmocka_unit_test(test_both_ends_by_event),
		cmocka_unit_test(test_evicted_while_another_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
