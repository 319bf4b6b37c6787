/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS connections with missing bytes at every position: the output is right and at the right
 * position, or the connection fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tls_tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AEAD_SUITES  10 /* they come first */

static struct tls_peer peer; /* large */

static struct tls_secrets *converse(uint16_t suite)
{
	struct tls_secrets *s = tls_secrets_new(8);

	tls_peer_converse(&peer, suite, 0);
	tls_peer_tell(&peer, s, ~0u);
	return s;
}

/* `len` bytes of the server are missing from `at` on: the output is right, or the stream fails. */
static enum tls_fail lose(struct tls_secrets *s, size_t at, size_t len, bool is_lost,
			  size_t *ret_missing)
{
	struct tls_tap tap = tap_begin(s, true, &peer);
	enum tls_fail failure;
	bool has_failed;

	for (size_t i = 0; i < peer.segments; i++) {
		size_t from = peer.order[i].from;
		size_t to = from + peer.order[i].len;
		const uint8_t *bytes = peer.wire[peer.order[i].side];

		if (peer.order[i].side == 0 || to <= at || from >= at + len) {
			tap_push(&tap, (enum dir)peer.order[i].side, bytes + from, to - from);
			continue;
		}
		if (from < at)
			tap_push(&tap, 1, bytes + from, at - from);
		if (from <= at)
			tap_lose(&tap, 1, len, is_lost);
		if (to > at + len)
			tap_push(&tap, 1, bytes + at + len, to - at - len);
	}
	has_failed = tap.stream->failure;
	if (!has_failed && !tap.stream->direction[1].gap.is_open) {
		assert_int_equal(tap.at[0], tap.want_len[0]);
		assert_int_equal(tap.at[1], tap.want_len[1]);
	}
	*ret_missing = tap.missing[1];
	failure = tap_end(&tap);
	assert_true(failure == TLS_FAIL_NONE || failure == TLS_FAIL_GAP);
	return failure;
}

static void test_gaps(void **state)
{
	static const size_t lens[] = {1, 4, 5, 22, 60, 75, 150, 400, 2000};

	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		unsigned closed = 0;
		unsigned gaps = 0;

		struct tls_secrets *s = converse(tls_peer_suites[i]);

		for (size_t j = 0; j < COUNT(lens); j++) {
			for (size_t at = 0; at + lens[j] <= peer.wire_len[1]; at += i % 3 + 1) {
				size_t missing = 0;
				enum tls_fail failure = lose(s, at, lens[j], j % 2, &missing);

				gaps++;
				closed += failure == TLS_FAIL_NONE;
			}
		}
		/* Closed gaps: those inside and between application records. */
		if (tls_suite_find(tls_peer_suites[i])->mode == TLS_CBC)
			assert_int_equal(closed, 0);
		else
			assert_in_range(closed * 100 / gaps, 60, 99);
		tls_secrets_free(s);
	}
}

/* A gap of complete records: their number is found, and exactly their plaintext is missing. */
static void test_whole_records_missing(void **state)
{
	(void)state;
	for (size_t i = 0; i < AEAD_SUITES; i++) {
		struct tls_secrets *s = converse(tls_peer_suites[i]);
		size_t first = 0;
		size_t missing;

		while (peer.order[first].side == 0 || first < peer.segments - 9)
			first++;
		for (size_t n = 1; n < 6; n++) {
			size_t from = peer.order[first].from;
			size_t to = peer.order[first + n].from;
			size_t want = 0;

			for (size_t k = 0; k < n; k++)
				want += peer.order[first + k].len - (peer.order[first].len - 51);
			assert_int_equal(lose(s, from, to - from, true, &missing), TLS_FAIL_NONE);
			assert_int_equal(missing, want);
		}
		tls_secrets_free(s);
	}
}

/*
 * `many` records of `len` bytes are missing, then follows one of `behind` bytes: finds the number
 * of that one. Returns how many numbers were tried.
 */
static unsigned find_behind(uint16_t suite, uint64_t many, uint32_t len, size_t behind)
{
	static uint8_t plaintext[TLS_BODY_MAX];
	static char text[TLS_PLAINTEXT_MAX];
	bool is_13 = tls_suite_is_tls13(tls_suite_find(suite));
	struct tls_shown shown = {0};
	struct tls_gap gap = {0};
	struct tls_gap_end end;
	unsigned tries;
	uint64_t next;
	struct span data;

	tls_peer_converse(&peer, suite, PEER_COUNTED);
	shown.len = len + is_13 + (uint32_t)tls_cipher_overhead(&peer.cipher[1]);
	shown.nonce_offset = (uint64_t)-3;
	shown.are_nonces_counted = tls_cipher_nonce_bytes(&peer.cipher[1]);
	next = peer.number[1];
	peer.number[1] += many;
	data.ptr = (const char *)peer.wire[1] + peer.wire_len[1];
	memset(text, 'b', behind);
	tls_peer_data(&peer, false, text, behind);
	data.len = peer.order[peer.segments - 1].len;
	len += is_13;
	tls_gap_missing(&gap,
			(uint32_t)many * (TLS_HEADER_BYTES + len +
					  (uint32_t)tls_cipher_overhead(&peer.cipher[1])),
			0, false, NULL);
	assert_int_equal(
		tls_gap_data(&gap, data, &peer.cipher[1], next, &shown, NULL, plaintext, &end),
		TLS_GAP_CLOSED);
	tries = TLS_GAP_TRIES_MAX - gap.tries;
	assert_int_equal(end.at, 0);
	assert_int_equal(end.number, next + many);
	assert_int_equal(end.plaintext_bytes, many * len);
	assert_memory_equal(plaintext, text, behind);
	tls_gap_release(&gap, NULL);
	return tries;
}

/* 1 GiB of records is missing, as it is skipped in a body: their number is found. */
static void test_many_records_missing(void **state)
{
	(void)state;
	for (size_t i = 0; i < AEAD_SUITES; i++) {
		const struct tls_suite *suite = tls_suite_find(tls_peer_suites[i]);
		uint16_t id = tls_peer_suites[i];

		if (!tls_suite_is_tls13(suite) && suite->mode == TLS_CHACHA20)
			continue; /* nothing shows the number, so nothing is skipped */
		/* All are of the same length, so the first number is right, or the only one. */
		assert_int_equal(find_behind(id, 65536, 16384, 16384), 1);
		assert_int_equal(find_behind(id, 200000, 1400, 1400), 1);
		assert_int_equal(find_behind(id, 65536, 16384, 14), 1);
		/* The one behind is longer, so that the search begins some way off. */
		assert_in_range(find_behind(id, 65536, 16200, 16384), 1, 2000);
	}
}

/* Which connections may be skipped in: those whose record numbers can be found behind a gap. */
static void test_may_skip(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tls_peer_suites); i++) {
		const struct tls_suite *suite = tls_suite_find(tls_peer_suites[i]);
		bool has_nonces = !tls_suite_is_tls13(suite) && suite->mode != TLS_CHACHA20 &&
				  suite->mode != TLS_CBC;

		for (int is_counted = 0; is_counted < 2; is_counted++) {
			struct tls_secrets *s = tls_secrets_new(8);
			struct tls_tap tap;

			tls_peer_hello(&peer, tls_peer_suites[i], is_counted ? PEER_COUNTED : 0,
				       NULL);
			tls_peer_data(&peer, false, "some", 4);
			tls_peer_data(&peer, false, "data", 4);
			tls_peer_tell(&peer, s, ~0u);
			tap = tap_begin(s, true, &peer);
			for (size_t n = 0; n < peer.segments; n++)
				tap_push(&tap, (enum dir)peer.order[n].side,
					 peer.wire[peer.order[n].side] + peer.order[n].from,
					 peer.order[n].len);
			assert_int_equal(tls_stream_may_skip(tap.stream, DIR_EGRESS),
					 tls_suite_is_tls13(suite) || (is_counted && has_nonces));
			(void)tap_end(&tap);
			tls_secrets_free(s);
		}
	}
}

/* tls_cipher_decrypt() gives the same bytes as tls_cipher_open(), at every offset. */
static void test_decryption_at_an_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < AEAD_SUITES; i++) {
		uint8_t whole[TLS_BODY_MAX];
		uint8_t part[TLS_BODY_MAX];
		const uint8_t *record;
		size_t len;

		tls_peer_converse(&peer, tls_peer_suites[i], 0);
		record = peer.wire[1] + peer.order[peer.segments - 4].from;
		peer.number[1] -= 3;
		assert_true(tls_cipher_open(&peer.cipher[1], peer.number[1], record, record + 5,
					    tls_header_len(record), whole, &len));
		assert_in_range(len, 3000, 3001);
		for (size_t from = 0; from < len; from += 7) {
			size_t n = len - from < 100 + from % 64 ? len - from : 100 + from % 64;

			tls_cipher_decrypt(&peer.cipher[1], peer.number[1], record + 5, from, n,
					   part);
			assert_memory_equal(part, whole + from, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_whole_records_missing),
		cmocka_unit_test(test_many_records_missing),
		cmocka_unit_test(test_may_skip),
		cmocka_unit_test(test_decryption_at_an_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
