/* SPDX-License-Identifier: Apache-2.0 */
/* TLS connections of the live source: which of them are needed, and how far. */
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

/* What both sides send in turns, the client first. */
struct talk {
	const char *why;
	struct span lines[20];
	unsigned needed; /* lines that are read before nothing more is needed */
	enum sl_mute want; /* 0: more is needed */
};

#define LINE(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
#define UPGRADE	  LINE("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
#define SWITCHING LINE("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
#define ECHO	  LINE("hello\n"), LINE("hello\n")
#define REQUEST	  LINE("GET /a HTTP/1.1\r\nHost: example\r\n\r\n")
#define RESPONSE  LINE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

static const struct talk talks[] = {
	{"PostgreSQL's startup message names it",
	 {LINE("\0\0\0\x10\0\3\0\0user\0a\0\0"), LINE("R\0\0\0\x8\0\0\0\0")},
	 1,
	 SL_MUTE_UNKNOWN},
	{"a greeting may be followed by HTTP, and is not",
	 {LINE(""), LINE("220 a ESMTP\r\n"), LINE("EHLO b\r\n"), LINE("250 a\r\n")},
	 3,
	 SL_MUTE_UNKNOWN},
	{"a protocol without a name: after eight flights of the server",
	 {ECHO, ECHO, ECHO, ECHO, ECHO, ECHO, ECHO, ECHO, ECHO},
	 16,
	 SL_MUTE_UNKNOWN},
	{"after 101 no request follows", {UPGRADE, SWITCHING}, 2, SL_MUTE_UPGRADE},
	{"HTTP is needed to its end",
	 {REQUEST, RESPONSE, REQUEST, RESPONSE, REQUEST, RESPONSE, REQUEST, RESPONSE, REQUEST,
	  RESPONSE, REQUEST, RESPONSE, REQUEST, RESPONSE, REQUEST, RESPONSE, REQUEST, RESPONSE},
	 18,
	 0},
};

/* Plays the talk over TLS, and returns after how many lines something was reported. */
static unsigned play_talk(struct observer *o, struct wire *w, const struct talk *talk,
			  uint16_t suite)
{
	unsigned n = 0;

	tls_peer_hello(&peer, suite, 0, NULL);
	tell(o);
	play(w, 0);
	for (; n < COUNT(talk->lines) && talk->lines[n].ptr && !o->reports; n++) {
		size_t from = peer.segments;

		if (talk->lines[n].len)
			tls_peer_data(&peer, n % 2 == 0, talk->lines[n].ptr, talk->lines[n].len);
		play(w, from);
	}
	return n;
}

/* The source is told once, nothing is held any more, and the rest is not read. */
static void test_unneeded(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(talks) * COUNT(suites); i++) {
		const struct talk *talk = &talks[i / COUNT(suites)];
		struct observer o;
		struct wire w;

		observer_begin(&o);
		w = open_server(&o, 1);
		print_message("%s\n", talk->why);
		assert_int_equal(play_talk(&o, &w, talk, suites[i % COUNT(suites)]), talk->needed);
		assert_int_equal(o.unneeded, talk->want);
		if (talk->want) {
			size_t log_len = o.log.len;
			size_t from = peer.segments;

			assert_int_equal(o.unneeded_id, 1);
			assert_int_equal(tls_secrets_sessions(o.secrets), 0);
			tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
			tls_peer_data(&peer, false, tls_observer_response,
				      sizeof(tls_observer_response) - 1);
			play(&w, from);
			assert_int_equal(o.log.len, log_len);
			wire_mute(&w, talk->want);
		}
		wire_close(&w, false);
		assert_int_equal(o.reports, talk->want ? 1 : 0);
		assert_int_equal(engine_stats(o.engine)->memory_used, 0);
		observer_end(&o);
	}
}

/* What cannot be decrypted is reported, too, as soon as that is known. */
static void test_dark(void **state)
{
	struct observer o;
	struct wire w;

	(void)state;
	observer_begin(&o);
	w = open_server(&o, 1);
	tls_peer_hello(&peer, 0x1301, PEER_ALPN_OTHER, NULL);
	tell(&o);
	play(&w, 0);
	assert_int_equal(o.unneeded, SL_MUTE_TLS_DARK);
	assert_int_equal(o.reports, 1);
	assert_int_equal(engine_stats(o.engine)->tls.failed[TLS_FAIL_NOT_HTTP], 1);
	assert_int_equal(tls_secrets_sessions(o.secrets), 0);
	wire_close(&w, false);
	assert_int_equal(o.reports, 1);
	observer_end(&o);
}

/* TLS that begins inside of another protocol: the source would copy it. */
static void test_starttls(void **state)
{
	struct observer o;
	struct wire w;

	(void)state;
	observer_begin(&o);
	w = open_server(&o, 1);
	wire_record(&w, DIR_INGRESS, (struct span){"\0\0\0\x8\x4\xd2\x16\x2f", 8}, 0, false, false);
	assert_int_equal(o.unneeded, SL_MUTE_UNKNOWN);
	wire_data(&w, DIR_EGRESS, "S");
	hello_with_request(0x1301);
	play(&w, 0);
	assert_int_equal(o.reports, 1);
	wire_mute(&w, SL_MUTE_UNKNOWN);
	observer_end(&o);
}

/*
 * A tls_observer_response with this head has passed. The source is told how far its body, or chunk
 * of `left` bytes, reaches at least; with left 0, nothing.
 */
static void check_long_body(uint16_t suite, unsigned flags, const char *head, uint64_t left)
{
	struct observer o;
	struct wire w;
	uint32_t extra;

	observer_begin(&o);
	w = open_server(&o, 1);
	tls_peer_hello(&peer, suite, flags, NULL);
	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
	tls_peer_data(&peer, false, head, strlen(head));
	tell(&o);
	play(&w, 0);
	assert_int_equal(o.answers, left ? 1 : 0);
	if (left) {
		extra = 5 + (uint32_t)tls_cipher_overhead(&peer.cipher[1]) +
			tls_suite_is_tls13(peer.suite);
		left -= 128 << 10;
		left = left < 1u << 30 ? left : 1u << 30;
		assert_int_equal(o.body_seq,
				 (uint32_t)(w.seq[DIR_EGRESS] + left + left / 16384 * extra));
	}
	observer_end(&o);
}

static void test_long_bodies(void **state)
{
	static const char length[] = "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n";
	static const char very_long[] = "HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n";
	static const char chunk[] =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n";
	static const char chunks[] =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n";
	static const char shorter[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
	static const char unknown[] = "HTTP/1.1 200 OK\r\n\r\n";

	(void)state;
	for (unsigned flags = 0; flags <= PEER_COUNTED; flags += PEER_COUNTED) {
		for (uint16_t suite = 0x1301; suite <= 0x1305; suite++) {
			check_long_body(suite, flags, length, 4194304);
			check_long_body(suite, flags, very_long, UINT64_C(4294967296));
			check_long_body(suite, flags, chunk, 0x400000);
			check_long_body(suite, flags, chunks, 0);
			check_long_body(suite, flags, shorter, 0);
			check_long_body(suite, flags, unknown, 0);
		}
		check_long_body(0xc02f, flags, length, flags ? 4194304 : 0);
		check_long_body(0xc0ae, flags, chunk, flags ? 0x400000 : 0);
		check_long_body(0xcca8, flags, length, 0); /* ChaCha20 */
		check_long_body(0xc013, flags, length, 0); /* CBC */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {

		cmocka_unit_test(test_unneeded),
		cmocka_unit_test(test_dark),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_long_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
