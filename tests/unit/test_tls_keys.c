/* SPDX-License-Identifier: Apache-2.0 */
/* Keys against published vectors: RFC 8448 section 3 for TLS 1.3, and the PRF of TLS 1.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hex.h"
#include "tls/key_schedule.h"

static void check_keys(const char *secret_hex, const char *key_hex, const char *iv_hex)
{
	uint8_t secret[TLS_HASH_MAX];
	uint8_t key[TLS_KEY_MAX];
	uint8_t iv[TLS_IV_BYTES];
	struct tls_cipher c;

	assert_int_equal(hex_bytes(secret_hex, secret, sizeof(secret)), 32);
	assert_int_equal(hex_bytes(key_hex, key, sizeof(key)), 16);
	assert_int_equal(hex_bytes(iv_hex, iv, sizeof(iv)), 12);
	tls13_keys(&c, tls_suite_find(0x1301), secret);
	assert_memory_equal(c.key, key, 16);
	assert_memory_equal(c.iv, iv, 12);
}

static void test_traffic_keys(void **state)
{
	(void)state;
	/* server, handshake */
	check_keys("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
		   "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30");
	/* client, handshake */
	check_keys("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
		   "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f");
	/* client, application */
	check_keys("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
		   "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9");
	/* server, application */
	check_keys("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
		   "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984");
}

/* P_SHA256, of the IETF TLS list in 2009; P_SHA384 for the same lengths made with Python's hmac. */
static void check_prf(enum tls_hash hash, const char *secret_hex, const char *seed_hex,
		      const char *want_hex)
{
	uint8_t secret[64];
	uint8_t seed[64];
	uint8_t want[256];
	uint8_t got[256];
	size_t secret_len = hex_bytes(secret_hex, secret, sizeof(secret));
	size_t seed_len = hex_bytes(seed_hex, seed, sizeof(seed));
	size_t len = hex_bytes(want_hex, want, sizeof(want));

	for (size_t n = 1; n <= len; n++) {
		tls12_prf(hash, (struct span){(const char *)secret, secret_len}, "test label",
			  (struct span){(const char *)seed, seed_len}, got, n);
		assert_memory_equal(got, want, n);
	}
}

static void test_prf(void **state)
{
	(void)state;
	check_prf(TLS_SHA256, "9bbe436ba940f017b17652849a71db35",
		  "a0ba9f936cda311827a6f796ffd5198c",
		  "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
		  "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
		  "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
		  "87347b66");
	check_prf(TLS_SHA384, "9bbe436ba940f017b17652849a71db35",
		  "a0ba9f936cda311827a6f796ffd5198c",
		  "dd88775cd827187b67a3f7652b5c13f715791cc46e0274a6d3fb16651103defc"
		  "544cd8afb68369a219bb918b8b21ddb1764af0a70339e6dec085e574f655851b"
		  "a692513203536bdfc3675e53768210f0a2389dd324311a440c7c30ef44b391d9"
		  "14c3b0c7c80f1cb5e134cf4253d859fa8a46e978360d095dd2fba0c18a1f4d7b"
		  "4cf9f24667b5cb0adc5ab65df3a0dc627c9b73cc");
}

/* A KeyUpdate, RFC 8446 section 7.2: "traffic upd" of the secret. */
static void test_next_secret(void **state)
{
	uint8_t secret[TLS_HASH_MAX] = {0};
	uint8_t want[TLS_HASH_MAX];

	(void)state;
	(void)hex_bytes("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", secret,
			sizeof(secret));
	assert_int_equal(
		hex_bytes("fcdfcc72725aaee48bf64e4fd8b749cdbdbab39d90da0b26e2245ca6ea167207", want,
			  sizeof(want)),
		32);
	tls13_next_secret(tls_suite_find(0x1301), secret);
	assert_memory_equal(secret, want, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traffic_keys),
		cmocka_unit_test(test_prf),
		cmocka_unit_test(test_next_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
