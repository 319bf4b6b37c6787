/* SPDX-License-Identifier: Apache-2.0 */
/* Targets are shown without the secrets in them, and otherwise as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/redact.h"
#include "guard.h"

#define SECRET "hunter2-Zq9"

struct row {
	const char *why;
	const char *target;
	const char *want; /* NULL: the target itself */
};

static const struct row rows[] = {
	{"nothing to redact", "/users/1?page=2&sort=name&q=a+b", NULL},
	{"an empty query", "/?", NULL},
	{"no name", "/?=1&&=", NULL},
	{"all forms of a target", "*", NULL},
	{"authority-form", "example.com:443", NULL},
	{"an e-mail address in a path is no userinfo", "/users/joe@example.com/mails", NULL},
	{"a UUID is no secret by its form", "/?id=123e4567-e89b-12d3-a456-426614174000", NULL},
	{"a time has a colon", "/?from=2026-01-02T10:20:30Z&to=10:30", NULL},
	{"words are no tokens", "/?text=a-long-text-of-several-words-that-says-it", NULL},
	{"a long number", "/?n=123456789012345678901234567890", NULL},
	{"a URL without a secret", "/?to=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc", NULL},
	{"bytes that are no text", "/\x01\xff?\x80=\x1b[2J", NULL},
	{"a broken escape", "/%?a=%4&b=%zz%", NULL},

	{"token", "/?token=" SECRET, "/?token=***"},
	{"the rest stays", "/a?x=1&access_token=" SECRET "&y=2", "/a?x=1&access_token=***&y=2"},
	{"in any case", "/?Access-Token=" SECRET, "/?Access-Token=***"},
	{"an empty secret", "/?token=", "/?token=***"},
	{"api_key", "/?api_key=" SECRET, "/?api_key=***"},
	{"apikey", "/?apikey=" SECRET, "/?apikey=***"},
	{"X-API-Key", "/?X-API-Key=" SECRET, "/?X-API-Key=***"},
	{"key", "/?key=" SECRET, "/?key=***"},
	{"password", "/?user=joe&password=" SECRET, "/?user=joe&password=***"},
	{"passwd", "/?passwd=" SECRET, "/?passwd=***"},
	{"pwd", "/?pwd=" SECRET, "/?pwd=***"},
	{"pass", "/?pass=" SECRET, "/?pass=***"},
	{"secret", "/?client_secret=" SECRET, "/?client_secret=***"},
	{"auth", "/?auth=" SECRET, "/?auth=***"},
	{"authorization", "/?Authorization=Bearer%20" SECRET, "/?Authorization=***"},
	{"OAuth's code", "/cb?code=" SECRET "&state=x", "/cb?code=***&state=x"},
	{"its verifier", "/?code_verifier=" SECRET, "/?code_verifier=***"},
	{"AWS", "/o?X-Amz-Credential=AKIA/x&X-Amz-Signature=ab&X-Amz-Expires=60",
	 "/o?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Expires=60"},
	{"AWS's token", "/?X-Amz-Security-Token=" SECRET, "/?X-Amz-Security-Token=***"},
	{"Azure", "/?sv=2020&sig=" SECRET, "/?sv=2020&sig=***"},
	{"Google", "/?GoogleAccessId=x&Signature=" SECRET, "/?GoogleAccessId=x&Signature=***"},
	{"a session", "/?PHPSESSID=" SECRET, "/?PHPSESSID=***"},
	{"SAML", "/?SAMLResponse=" SECRET, "/?SAMLResponse=***"},
	{"jwt", "/?jwt=" SECRET, "/?jwt=***"},
	{"otp", "/?otp=123456", "/?otp=***"},
	{"csrf", "/?_csrf=" SECRET, "/?_csrf=***"},
	{"a card", "/?cardNumber=4111111111111111", "/?cardNumber=***"},
	{"PHP's arrays", "/?user[password]=" SECRET, "/?user[password]=***"},
	{"separated by semicolons", "/?a=1;token=" SECRET, "/?a=1;token=***"},
	{"a second question mark", "/?a=1?token=" SECRET, "/?a=1?token=***"},
	{"a fragment", "/#access_token=" SECRET, "/#access_token=***"},
	{"a parameter of the path", "/app;jsessionid=" SECRET "/x?y=1",
	 "/app;jsessionid=***/x?y=1"},
	{"a segment with a name", "/token=" SECRET "/x", "/token=***/x"},

	{"an encoded name", "/?%74oken=" SECRET, "/?%74oken=***"},
	{"encoded twice", "/?%2574oken=" SECRET, "/?%2574oken=***"},
	{"an encoded equals sign", "/?token%3D" SECRET, "/?***"},
	{"an encoded question mark", "/a%3Ftoken%3D" SECRET, "/***"},
	{"a URL inside", "/?to=https%3A%2F%2Fx%2F%3Ftoken%3D" SECRET, "/?to=***"},
	{"a URL inside, twice encoded", "/?to=https%253A%252F%252Fx%253Ftoken%253D" SECRET,
	 "/?to=***"},
	{"a URL inside, as it is", "/?to=https://x/?token=" SECRET, "/?to=https://x/?token=***"},
	{"userinfo inside", "/?to=https%3A%2F%2Fjoe%3A" SECRET "%40x%2F", "/?to=***"},
	{"JSON inside", "/?q={\"password\":\"" SECRET "\"}", "/?q=***"},
	{"JSON inside, encoded", "/?q=%7B%22password%22%3A%22" SECRET "%22%7D", "/?q=***"},

	{"a JWT by its form", "/?x=eyJhbGciOiJIUzI1NiJ9.e30.abc", "/?x=***"},
	{"a query that is one", "/?eyJhbGciOiJIUzI1NiJ9.e30.abc", "/?***"},
	{"GitHub", "/?x=ghp_abcdefghijklmnop", "/?x=***"},
	{"a key of AWS", "/?x=AKIAIOSFODNN7EXAMPLE", "/?x=***"},
	{"a random word", "/?x=dGhpcyBpcyBhIHNlY3JldA9", "/?x=***"},
	{"hexadecimal", "/?x=0123456789abcdef0123456789abcdef", "/?x=***"},
	{"credentials of HTTP", "/?x=Basic%20am9lOnB3", "/?x=***"},
	{"a bearer", "/?x=Bearer+" SECRET, "/?x=***"},

	{"userinfo", "http://joe:" SECRET "@example.com/a", "http://***@example.com/a"},
	{"userinfo without a password", "https://" SECRET "@example.com/",
	 "https://***@example.com/"},
	{"two of them", "http://a:" SECRET "@b:" SECRET "@c/", "http://***@c/"},
	{"of authority-form", "joe:" SECRET "@example.com:443", "***@example.com:443"},
	{"an encoded at sign", "http://joe:" SECRET "%40example.com/", "http://***%40example.com/"},
	{"without a scheme", "//joe:" SECRET "@example.com/x", "//***@example.com/x"},
	{"in a path", "/proxy/http://joe:" SECRET "@example.com/",
	 "/proxy/http://***@example.com/"},
	{"of authority-form, before another URL", "joe:" SECRET "@x?to=http://y",
	 "***@x?to=http://y"},
	{"userinfo and a query", "http://joe:" SECRET "@x/?token=" SECRET,
	 "http://***@x/?token=***"},
};

static void test_targets(void **state)
{
	char out[REDACT_TARGET_MAX];
	char padded[REDACT_TARGET_MAX + REDACT_PADDING];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const char *want = row->want ? row->want : row->target;
		struct span target = span_of(row->target);
		struct span got = {out, 0};
		bool is_cut;

		got.len = redact_target(target, out, sizeof(out), &is_cut);
		if (is_cut || !span_is(got, want))
			fail_msg("%s: %s: %.*s, not %s", row->why, row->target, SPAN_ARG(got),
				 want);
		/* What it would change is not taken for what it would not. */
		memset(padded, 0, sizeof(padded));
		memcpy(padded, target.ptr, target.len);
		if (!redact_may_change(padded, target.len) && strcmp(want, row->target) != 0)
			fail_msg("%s: %s is not looked at", row->why, row->target);
	}
}

/* Whatever room there is: what is written is the beginning of the whole, and nothing lies behind.
 */
static void test_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want = rows[i].want ? rows[i].want : rows[i].target;

		for (size_t size = 0; size <= strlen(want); size++) {
			static struct guard guard;
			char *out = guard_room(&guard, size);
			bool is_cut;
			size_t len = redact_target(span_of(rows[i].target), out, size, &is_cut);

			assert_true(len <= size);
			assert_memory_equal(out, want, len);
			assert_int_equal(is_cut, size < strlen(want));
		}
	}
}

/* A cut target has no more than its uncut one, and a long one ends. */
static void test_prefixes(void **state)
{
	char target[REDACT_TARGET_MAX + 100];
	char out[REDACT_TARGET_MAX];
	bool is_cut;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= strlen(rows[i].target); len++) {
			struct span part = {rows[i].target, len};

			assert_true(redact_target(part, out, sizeof(out), &is_cut) <= len + 3);
		}
	}
	memset(target, 'a', sizeof(target));
	memcpy(target, "/?token=", 8);
	assert_int_equal(
		redact_target((struct span){target, sizeof(target)}, out, sizeof(out), &is_cut),
		11);
	assert_true(is_cut);
}

/* Each character of the trigger at each place. */
static void test_trigger(void **state)
{
	char text[64 + REDACT_PADDING] = {0};

	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		memset(text, 0, sizeof(text));
		memset(text, 'a', len);
		assert_false(redact_may_change(text, len));
		for (size_t at = 0; at < len; at++) {
			for (const char *c = ":;=?@%"; *c; c++) {
				text[at] = *c;
				assert_true(redact_may_change(text, len));
			}
			for (const char *c = "/&.-_~+A\x01\xff"; *c; c++) {
				text[at] = *c;
				assert_false(redact_may_change(text, len));
			}
			text[at] = 'a';
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_trigger),
	};

	return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
