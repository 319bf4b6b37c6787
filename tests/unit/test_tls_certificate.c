/* SPDX-License-Identifier: Apache-2.0 */
/* When certificates expire: one of OpenSSL, cut at every byte and with every byte changed; times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guard.h"
#include "hex.h"
#include "tls/certificate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* openssl req -x509 -newkey ec -days 3650; openssl x509 -enddate: Nov 27 03:43:44 2036 GMT */
static const char certificate[] =
	"3082016e30820113a00302010202141a176bb2e8d47004fae9c14047e9147a6a9aa0ee300a06082a"
	"8648ce3d040302300c310a300806035504030c0161301e170d3236313133303033343334345a170d"
	"3336313132373033343334345a300c310a300806035504030c01613059301306072a8648ce3d0201"
	"06082a8648ce3d03010703420004eed662698b9bbcad16dd57d8689f1c0dc8ff88c4b81a30337a57"
	"4982f054f4fd3a9577f0da7b1aff414dff97dba5c28252fc4fd4cc012f975ef7f9a44f058155a353"
	"3051301d0603551d0e041604147f88d3db338ea3da2d8d51a7f588a9b9e6959b0d301f0603551d23"
	"0418301680147f88d3db338ea3da2d8d51a7f588a9b9e6959b0d300f0603551d130101ff04053003"
	"0101ff300a06082a8648ce3d0403020349003046022100f5bb3a6e950a029b8d0b7c0cf012e6a84c"
	"e286f15a3d9bf52b7e10db414fdc50022100bf263ec2b056b0d4f0f2359ca57fb1df49b0dab0254c"
	"c77c7634b0a772f75209";
#define EXPIRY 2111370224

/* Puts a vector's length of three bytes in front of len bytes at to + 3. */
static size_t vector(uint8_t *to, size_t len)
{
	to[0] = (uint8_t)(len >> 16);
	to[1] = (uint8_t)(len >> 8);
	to[2] = (uint8_t)len;
	return len + 3;
}

/* The message with that certificate in it. */
static size_t message(uint8_t *to, size_t max)
{
	size_t len = hex_bytes(certificate, to + 6, max - 6);

	return vector(to, vector(to + 3, len));
}

static void test_certificate(void **state)
{
	static struct guard guard;
	uint8_t body[1024];
	size_t len = message(body, sizeof(body));
	unsigned same = 0;
	int64_t seconds = 0;

	(void)state;
	assert_true(tls_certificate_expiry((struct span){(const char *)body, len}, &seconds));
	assert_int_equal(seconds, EXPIRY);
	/* A message that ends early has none, wherever it ends. */
	for (size_t n = 0; n < len; n++) {
		char *cut = guard_room(&guard, n);

		memcpy(cut, body, n);
		assert_false(tls_certificate_expiry((struct span){cut, n}, &seconds));
	}
	/* Nothing behind it is touched, whatever is in it. */
	for (size_t i = 0; i < len; i++) {
		for (unsigned value = 0; value < 256; value++) {
			char *changed = guard_room(&guard, len);

			memcpy(changed, body, len);
			changed[i] = (char)value;
			if (tls_certificate_expiry((struct span){changed, len}, &seconds))
				same += seconds == EXPIRY;
		}
	}
	assert_in_range(same, len * 256 / 2, len * 256 - 1);
}

/* A message with a certificate that ends with its times. */
static bool expiry_of(uint8_t tag, const char *text, int64_t *ret_seconds)
{
	uint8_t time_len = (uint8_t)strlen(text);
	uint8_t body[128] = {0, 0,    0, 0,    0, 0,	0x30, 0,    0x30, 0,   0x02,	1,
			     7, 0x30, 0, 0x30, 0, 0x30, 0,    0x17, 0,	  tag, time_len};
	size_t len = 23 + time_len;

	memcpy(body + 23, text, time_len);
	body[18] = (uint8_t)(len - 19);
	body[9] = (uint8_t)(len - 10);
	body[7] = (uint8_t)(len - 8);
	len = vector(body, vector(body + 3, len - 6));
	return tls_certificate_expiry((struct span){(const char *)body, len}, ret_seconds);
}

static void test_times(void **state)
{
	static const struct {
		const char *why;
		uint8_t tag;
		const char *text;
		int64_t want; /* 0: it is no time */
	} cases[] = {
		{"years from 50 on are of the last century", 0x17, "700101000001Z", 1},
		{"years below 50 are of this one", 0x17, "361127034344Z", EXPIRY},
		{"the last second of UTCTime", 0x17, "491231235959Z", 2524607999},
		{"from 2050 on it has another form", 0x18, "20500101000000Z", 2524608000},
		{"a leap day", 0x18, "20240229120000Z", 1709208000},
		{"a year that is no leap year", 0x18, "21000301000000Z", 4107542400},
		{"no expiry at all, RFC 5280 section 4.1.2.5", 0x18, "99991231235959Z",
		 253402300799},
		{"before 1970", 0x18, "19691231235959Z", -1},
		{"no seconds", 0x17, "3611270343Z", 0},
		{"another zone", 0x17, "361127034344+0100", 0},
		{"fractions of a second", 0x18, "20361127034344.5Z", 0},
		{"a month that is none", 0x17, "361327034344Z", 0},
		{"a letter", 0x17, "3611270343x4Z", 0},
		{"the year 0", 0x18, "00000101000000Z", 0},
		{"nothing", 0x17, "", 0},
		{"a string", 0x0c, "361127034344Z", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t seconds = 0;
		bool is_time = expiry_of(cases[i].tag, cases[i].text, &seconds);

		if (is_time != (cases[i].want != 0) || seconds != cases[i].want)
			fail_msg("%s: %d, %lld", cases[i].why, is_time, (long long)seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
