/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that come while connections use them: the live table, connections that wait, and sessions
 * that only a pointer names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tls/keys.h"
#include "tls_tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_peer peer; /* large */

static void add(struct tls_secrets *s, uint8_t name, uint8_t value)
{
	uint8_t random[TLS_RANDOM_BYTES] = {name};
	uint8_t secret[TLS_MASTER_BYTES] = {value};

	assert_true(tls_secrets_add(s, random, TLS_SECRET_MASTER,
				    (struct span){(const char *)secret, sizeof(secret)}));
}

static struct tls_session_secrets *find(const struct tls_secrets *s, uint8_t name)
{
	uint8_t random[TLS_RANDOM_BYTES] = {name};

	return tls_secrets_find(s, random);
}

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	while (len > 0 && *b == 0) {
		b++;
		len--;
	}
	return len == 0;
}

static void test_unused_sessions_go(void **state)
{
	struct tls_secrets *s = tls_secrets_new_live(3);
	struct tls_session_secrets *held;

	(void)state;
	for (uint8_t i = 1; i <= 3; i++)
		add(s, i, i);
	held = find(s, 1);
	tls_secrets_hold(held);
	tls_secrets_hold(held);
	/* The oldest that nobody uses gives way, and is counted. */
	add(s, 4, 4);
	assert_null(find(s, 2));
	assert_int_equal(tls_secrets_dropped(s), 1);
	assert_int_equal(tls_secrets_sessions(s), 3);
	tls_secrets_release(s, held);
	assert_ptr_equal(find(s, 1), held);
	tls_secrets_release(s, held);
	assert_null(find(s, 1));
	assert_true(is_zero(held->value, sizeof(held->value)));
	tls_secrets_free(s);
}

static void test_secrets_expire(void **state)
{
	struct tls_secrets *s = tls_secrets_new_live(8);
	struct tls_session_secrets *old;

	(void)state;
	tls_secrets_expire(s, 100, 0);
	add(s, 1, 1);
	add(s, 2, 2);
	tls_secrets_hold(find(s, 2));
	tls_secrets_expire(s, 200, 0);
	add(s, 3, 3);
	old = find(s, 1);
	tls_secrets_expire(s, 300, 150);
	assert_null(find(s, 1));
	assert_true(is_zero(old->value, sizeof(old->value)));
	assert_non_null(find(s, 2)); /* a connection uses it */
	assert_non_null(find(s, 3));
	tls_secrets_free(s);
}

static void test_all_in_use(void **state)
{
	struct tls_secrets *s = tls_secrets_new_live(1);
	uint8_t other[TLS_RANDOM_BYTES] = {2};
	uint8_t secret[TLS_MASTER_BYTES] = {2};

	(void)state;
	add(s, 1, 1);
	tls_secrets_hold(find(s, 1));
	assert_false(tls_secrets_add(s, other, TLS_SECRET_MASTER,
				     (struct span){(const char *)secret, sizeof(secret)}));
	assert_int_equal(tls_secrets_dropped(s), 1);
	assert_non_null(find(s, 1));
	tls_secrets_free(s);
}

/* Those of the peer, by a pointer. */
static void tell_nameless(struct tls_secrets *s, uint64_t object)
{
	bool is_13 = tls_suite_is_tls13(peer.suite);
	int last = is_13 ? TLS_SECRET_SERVER_TRAFFIC : TLS_SECRET_MASTER;

	for (int kind = is_13 ? TLS_SECRET_CLIENT_HANDSHAKE : TLS_SECRET_MASTER; kind <= last;
	     kind++) {
		size_t len = kind == TLS_SECRET_MASTER ? TLS_MASTER_BYTES : peer_hash_bytes(&peer);

		assert_true(tls_secrets_add_nameless(
			s, 1, object, (enum tls_secret)kind,
			(struct span){(const char *)peer.secret[kind], len}));
	}
}

/* Of another session of the peers, at that time. */
static void tell_other(struct tls_secrets *s, uint16_t suite, uint64_t object, uint64_t time_ns)
{
	tls_peer_converse(&peer, suite, 0);
	memset(peer.secret, (int)(object % 50 + 100), sizeof(peer.secret));
	tls_secrets_expire(s, time_ns, 0);
	tell_nameless(s, object);
}

static void check_all(struct tls_tap *tap)
{
	for (int dir = 0; dir < 2; dir++) {
		assert_int_equal(tap->at[dir], tap->want_len[dir]);
		assert_int_equal(tap->missing[dir], 0);
	}
	assert_int_equal(tap_end(tap), TLS_FAIL_NONE);
}

/* The session is found among others, in both versions, whenever its secrets come. */
static void test_nameless(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		for (int is_late = 0; is_late < 2; is_late++) {
			struct tls_secrets *s = tls_secrets_new_live(64);
			struct tls_tap tap;

			for (uint64_t object = 10; object < 20; object++)
				tell_other(s, tls_peer_suites[i], object, 0);
			tls_peer_converse(&peer, tls_peer_suites[i], 0);
			tap = tap_begin(s, false, &peer);
			if (!is_late)
				tell_nameless(s, 1);
			tap_play(&tap, &peer, 1000);
			if (is_late) {

				assert_int_equal(tap.at[0] + tap.at[1], 0);
				assert_int_equal(tap.env->waiting.count, 1);
				tell_nameless(s, 1);
				tls_stream_secrets(tap.stream, &tap_sink, &tap);
			}
			assert_int_equal(tap.env->waiting.count, 0);
			/* What is derived is enough. */
			assert_int_equal(tls_secrets_sessions(s), 10);
			check_all(&tap);
			tls_secrets_free(s);
		}
	}
}

/* An object that is used again stands for another session; the old one is kept for its user. */
static void test_pointer_used_again(void **state)
{
	struct tls_secrets *s = tls_secrets_new_live(8);
	struct tls_session_secrets *first;

	(void)state;
	tls_peer_hello(&peer, 0x1301, 0, NULL);
	tell_nameless(s, 1);
	first = tls_secrets_newest(s);
	assert_true(first->is_nameless);
	tell_nameless(s, 1); /* the same again is no news */
	assert_int_equal(tls_secrets_sessions(s), 1);
	tls_secrets_hold(first);
	memset(peer.secret, 77, sizeof(peer.secret));
	tell_nameless(s, 1);
	assert_int_equal(tls_secrets_sessions(s), 2);
	assert_ptr_not_equal(tls_secrets_newest(s), first);
	assert_int_not_equal(first->value[TLS_SECRET_CLIENT_TRAFFIC][0], 77);
	memset(peer.secret, 78, sizeof(peer.secret));
	tell_nameless(s, 1); /* the records of the second may still come */
	assert_int_equal(tls_secrets_sessions(s), 3);
	tls_secrets_free(s);
}

static void add_kind(struct tls_secrets *s, enum tls_secret kind, uint8_t value)
{
	uint8_t secret[TLS_MASTER_BYTES];

	memset(secret, value, sizeof(secret));
	assert_true(tls_secrets_add_nameless(
		s, 1, 2, kind,
		(struct span){(const char *)secret, kind == TLS_SECRET_MASTER ? 48 : 32}));
}

/* The kinds of one session, in the order of a library: all have the same value here. */
static const enum tls_secret of_12[] = {TLS_SECRET_MASTER};
static const enum tls_secret of_openssl[] = {TLS_SECRET_SERVER_HANDSHAKE, TLS_SECRET_SERVER_TRAFFIC,
					     TLS_SECRET_CLIENT_HANDSHAKE,
					     TLS_SECRET_CLIENT_TRAFFIC};
static const enum tls_secret of_gnutls[] = {TLS_SECRET_CLIENT_HANDSHAKE,
					    TLS_SECRET_SERVER_HANDSHAKE, TLS_SECRET_CLIENT_TRAFFIC,
					    TLS_SECRET_SERVER_TRAFFIC};

static const struct {
	const char *why;
	const enum tls_secret
		*kinds[4]; /* of sessions with the same pointer, one after the other */
	size_t counts[4];
	size_t cut; /* the first of them ends for its connection after so many; 0: never */
} sequences[] = {
	{"versions in turn", {of_12, of_openssl, of_12, of_gnutls}, {1, 4, 1, 4}, 0},
	{"handshakes that are given up", {of_openssl, of_openssl, of_openssl}, {1, 2, 4}, 0},
	{"likewise, the client's secret first", {of_gnutls, of_gnutls, of_12}, {2, 4, 1}, 0},
	{"a secret is lost", {of_openssl + 1, of_openssl, of_openssl}, {3, 4, 4}, 0},
	{"a connection ends before its secrets",
	 {of_openssl, of_openssl, of_openssl},
	 {4, 4, 4},
	 1},
	{"later", {of_openssl, of_openssl, of_openssl}, {4, 4, 4}, 3},
	{"likewise, the client's secret first", {of_gnutls, of_gnutls, of_gnutls}, {4, 4, 4}, 2},
};

/* No secret gets into another session than the others of its own. */
static void test_sessions_of_a_pointer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sequences); i++) {
		struct tls_secrets *s = tls_secrets_new_live(8);
		struct tls_session_secrets *e;
		size_t wanted = 0;
		size_t found = 0;

		print_message("%s\n", sequences[i].why);
		for (uint8_t n = 0; n < 4 && sequences[i].counts[n]; n++) {
			bool is_cut = n == 0 && sequences[i].cut;

			for (size_t k = 0; k < sequences[i].counts[n]; k++) {
				add_kind(s, sequences[i].kinds[n][k], (uint8_t)(n + 1));
				if (is_cut && k + 1 == sequences[i].cut) {
					tls_secrets_hold(tls_secrets_newest(s));
					tls_secrets_release(s, tls_secrets_newest(s));
				}
			}
			wanted += is_cut ? 0 : sequences[i].counts[n];
		}
		for (e = tls_secrets_newest(s); e; e = e->older) {
			uint8_t value = 0;

			for (int kind = 0; kind < TLS_SECRET_MAX; kind++) {
				if (!e->len[kind])
					continue;
				assert_true(!value || value == e->value[kind][0]);
				value = e->value[kind][0];
				found++;
			}
		}
		assert_int_equal(found, wanted);
		tls_secrets_free(s);
	}
}

/*
 * Ten other sessions before and behind: that of the same moment is the first that is tried. A
 * connection without a session tries each once, however often others come.
 */
static void test_trials(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		for (int is_there = 0; is_there < 2; is_there++) {
			struct tls_secrets *s = tls_secrets_new_live(64);
			struct tls_tap tap;

			for (uint64_t object = 10; object < 31; object++) {
				if (object != 20 || !is_there) {
					tell_other(s, tls_peer_suites[i], object, object * 1000);
					continue;
				}
				tls_peer_converse(&peer, tls_peer_suites[i], 0);
				tls_secrets_expire(s, object * 1000, 0);
				tell_nameless(s, object);
			}
			tls_peer_converse(&peer, tls_peer_suites[i], 0);
			tap = tap_begin(s, false, &peer);
			tap.now_ns = 20000;
			tap_play(&tap, &peer, 1000);
			assert_int_equal(tap.env->trials, is_there ? 1 : 21);
			if (!is_there) {
				tls_stream_secrets(tap.stream, &tap_sink, &tap);
				assert_int_equal(tap.env->trials, 21);
				memset(peer.secret, 99, sizeof(peer.secret));
				tell_nameless(s, 40);
				tls_stream_secrets(tap.stream, &tap_sink, &tap);
				assert_int_equal(tap.env->trials, 22);
				tls_peer_converse(&peer, tls_peer_suites[i], 0);
				tell_nameless(s, 41);
				tls_stream_secrets(tap.stream, &tap_sink, &tap);
				assert_int_equal(tap.env->trials, 23);
			}
			check_all(&tap);
			tls_secrets_free(s);
		}
	}
}

/* A connection has tried the nearest of many; its own secrets come later, behind all of them. */
static void test_late_among_many(void **state)
{
	struct tls_secrets *s = tls_secrets_new_live(1024);
	struct tls_tap tap;

	(void)state;
	for (uint64_t object = 0; object < 300; object++)
		tell_other(s, 0x1301, object + 10, object * 1000);
	tls_peer_converse(&peer, 0x1301, 0);
	tap = tap_begin(s, false, &peer);
	tap.now_ns = 200000;
	tap_play(&tap, &peer, 1000);
	assert_int_equal(tap.env->trials, 256);
	tls_secrets_expire(s, 2000000, 0);
	tell_nameless(s, 1);
	assert_true(tls_keys_find(tap.stream, true));
	assert_int_equal(tap.env->trials, 257);
	tls_stream_secrets(tap.stream, &tap_sink, &tap);
	check_all(&tap);
	tls_secrets_free(s);
}

static bool fetch_by_name(void *ctx)
{
	for (int kind = TLS_SECRET_CLIENT_HANDSHAKE; kind <= TLS_SECRET_SERVER_TRAFFIC; kind++)
		assert_true(tls_secrets_add(
			ctx, peer.client_random, (enum tls_secret)kind,
			(struct span){(const char *)peer.secret[kind], peer_hash_bytes(&peer)}));
	return true;
}

/* Sessions with names are tried with ECH alone, and not before those that can be fetched are: most
 * clients that offer ECH do not use it. */
static void test_sessions_with_names(void **state)
{
	(void)state;
	for (int has_ech = 0; has_ech < 2; has_ech++) {
		struct tls_secrets *s = tls_secrets_new_live(64);
		struct tls_tap tap;

		for (uint8_t i = 1; i <= 10; i++)
			for (int kind = TLS_SECRET_CLIENT_HANDSHAKE;
			     kind <= TLS_SECRET_SERVER_TRAFFIC; kind++) {
				uint8_t random[TLS_RANDOM_BYTES] = {i};
				uint8_t secret[32] = {i};

				assert_true(tls_secrets_add(
					s, random, (enum tls_secret)kind,
					(struct span){(const char *)secret, sizeof(secret)}));
			}
		tell_other(s, 0x1301, 1, 0);
		tls_peer_converse(&peer, 0x1301, has_ech ? PEER_ECH : 0);
		tap = tap_begin(s, false, &peer);
		tap_play(&tap, &peer, 1000);
		assert_int_equal(tap.env->waiting.count, 1);
		assert_int_equal(tap.env->trials, has_ech ? 11 : 1);
		(void)tap_end(&tap);
		tap = tap_begin(s, false, &peer);
		tap.env->fetch = fetch_by_name;
		tap.env->fetch_ctx = s;
		tap_play(&tap, &peer, 1000);
		assert_int_equal(tap.env->trials, 0);
		check_all(&tap);
		tls_secrets_free(s);
	}
}

/* Times that go back by a moment, as those of two CPUs may: none is left out, or tried twice. */
static void test_disorder(void **state)
{
	static const uint64_t times[] = {5000, 4000, 21000, 19000, 22000, 3000, 30000, 2000};
	struct tls_secrets *s = tls_secrets_new_live(64);
	struct tls_tap tap;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++)
		tell_other(s, 0x1301, i + 10, times[i]);
	tls_peer_converse(&peer, 0x1301, 0);
	tap = tap_begin(s, false, &peer);
	tap.now_ns = 20000;
	tap_play(&tap, &peer, 1000);
	assert_int_equal(tap.env->trials, COUNT(times));
	tell_nameless(s, 1);
	tls_stream_secrets(tap.stream, &tap_sink, &tap);
	check_all(&tap);
	tls_secrets_free(s);
}

/* The newest first; some go and come while they are handed out. */
static void test_waiting(void **state)
{
	struct tls_env *env = calloc(1, sizeof(*env));
	struct tls_stream *streams[4];

	(void)state;
	assert_non_null(env);
	env->secrets = tls_secrets_new_live(8);
	for (size_t i = 0; i < 4; i++) {
		streams[i] = tls_stream_new(env, NULL);
		assert_non_null(streams[i]);
		tls_waiting_add(streams[i], 100 + i);
		tls_waiting_add(streams[i], 900); /* it waits already */
	}
	assert_int_equal(env->waiting.count, 4);
	tls_waiting_begin(env);
	assert_ptr_equal(tls_waiting_next(env, UINT64_MAX), streams[3]);
	tls_waiting_remove(streams[3]);
	tls_waiting_add(streams[3], 103); /* again: not in this round */
	tls_stream_free(streams[2]); /* the next one */
	assert_ptr_equal(tls_waiting_next(env, UINT64_MAX), streams[1]);
	tls_stream_free(streams[1]); /* this one */
	assert_ptr_equal(tls_waiting_next(env, UINT64_MAX), streams[0]);
	assert_null(tls_waiting_next(env, UINT64_MAX));
	tls_waiting_begin(env);
	assert_ptr_equal(tls_waiting_next(env, 103), streams[0]);
	assert_null(tls_waiting_next(env, 103));
	tls_waiting_begin(env);
	assert_ptr_equal(tls_waiting_next(env, UINT64_MAX), streams[3]);
	tls_stream_free(streams[0]); /* the next and last one */
	assert_null(tls_waiting_next(env, UINT64_MAX));
	assert_int_equal(env->waiting.count, 1);
	tls_stream_free(streams[3]);
	assert_int_equal(env->waiting.count, 0);
	assert_null(env->waiting.newest);
	tls_secrets_free(env->secrets);
	free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unused_sessions_go),
		cmocka_unit_test(test_secrets_expire),
		cmocka_unit_test(test_all_in_use),
		cmocka_unit_test(test_nameless),
		cmocka_unit_test(test_trials),
		cmocka_unit_test(test_late_among_many),
		cmocka_unit_test(test_sessions_with_names),
		cmocka_unit_test(test_disorder),
		cmocka_unit_test(test_pointer_used_again),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_sessions_of_a_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
