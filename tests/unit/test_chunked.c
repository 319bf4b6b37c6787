/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked coding: every input is decoded whole and byte by byte, with the same outcome. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "guard.h"
#include "webhook/chunked.h"

#define BYTES(s)                                                                                   \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

static const struct {
	const char *why;
	struct span input;
	const char *want; /* the body; NULL: refused; ends in "...": not at its end */
} rows[] = {
	{"nothing", BYTES("0\r\n\r\n"), ""},
	{"one chunk", BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello"},
	{"two, one of them in hexadecimal", BYTES("A\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n"),
	 "0123456789!"},
	{"leading zeros", BYTES("00000003\r\nabc\r\n000\r\n\r\n"), "abc"},
	{"an extension", BYTES("3;a=\"b\"\r\nabc\r\n0;x\r\n\r\n"), "abc"},
	{"trailer fields", BYTES("1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n"), "a"},
	{"data that looks like the end", BYTES("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "0\r\n\r\n"},
	{"what comes behind it stays", BYTES("1\r\na\r\n0\r\n\r\nGET /"), "a"},
	{"cut in the data", BYTES("5\r\nhel"), "hel..."},
	{"cut in the size", BYTES("5"), "..."},
	{"cut in the trailers", BYTES("1\r\na\r\n0\r\nA: b\r\n"), "a..."},

	{"no size", BYTES("\r\na\r\n"), NULL},
	{"only an extension", BYTES(";a\r\n"), NULL},
	{"a sign", BYTES("+5\r\nhello\r\n"), NULL},
	{"a blank before the size", BYTES(" 5\r\nhello\r\n"), NULL},
	{"a blank behind the size", BYTES("5 \r\nhello\r\n"), NULL},
	{"0x", BYTES("0x5\r\nhello\r\n"), NULL},
	{"nine digits", BYTES("000000005\r\nhello\r\n"), NULL},
	{"LF alone behind the size", BYTES("5\nhello\r\n"), NULL},
	{"LF alone behind the data", BYTES("5\r\nhello\n"), NULL},
	{"more data than its size", BYTES("4\r\nhello\r\n"), NULL},
	{"LF alone in the trailers", BYTES("0\r\nA: b\n\r\n"), NULL},
	{"LF alone at the end", BYTES("0\r\n\n"), NULL},
	{"CR inside an extension", BYTES("5;a\rb\r\n"), NULL},
	{"NUL in an extension", BYTES("5;\0\r\n"), NULL},
	{"NUL in the trailers", BYTES("0\r\n\0\r\n\r\n"), NULL},
};

/* Decodes in steps of so many bytes. */
static void decode(struct span input, size_t step, struct text *out)
{
	static struct guard guard;
	struct chunked c = {0};
	size_t at = 0;

	text_clear(out);
	while (at < input.len && c.state != CHUNKED_DONE) {
		size_t n = input.len - at < step ? input.len - at : step;
		struct span data;
		long used = chunked_read(&c, guard_put(&guard, (struct span){input.ptr + at, n}),
					 &data);

		if (used < 0) {
			text_clear(out);
			text_add(out, "refused");
			return;
		}
		text_add_span(out, data);
		at += (size_t)used;
	}
	if (c.state != CHUNKED_DONE)
		text_add(out, "...");
}

static void test_rows(void **state)
{
	struct text whole;
	struct text bytewise;

	(void)state;
	text_init(&whole);
	text_init(&bytewise);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want = rows[i].want ? rows[i].want : "refused";

		decode(rows[i].input, SIZE_MAX, &whole);
		decode(rows[i].input, 1, &bytewise);
		if (strcmp(whole.ptr, want) != 0 || strcmp(bytewise.ptr, want) != 0)
			fail_msg("%s: \"%s\" whole, \"%s\" bytewise", rows[i].why, whole.ptr,
				 bytewise.ptr);
	}
	text_release(&whole);
	text_release(&bytewise);
}

/* Extensions and trailers cost their sender as much as us, but not for ever. */
static void test_overhead(void **state)
{
	struct text input;
	struct text out;

	(void)state;
	text_init(&input);
	text_init(&out);
	for (int i = 0; i < 1100; i++)
		text_add(&input, "1;abcd\r\nx\r\n");
	decode(text_span(&input), SIZE_MAX, &out);
	assert_string_equal(out.ptr, "refused");
	text_clear(&input);
	text_add(&input, "0\r\n");
	for (int i = 0; i < 1100; i++)
		text_add(&input, "A: bc\r\n");
	decode(text_span(&input), SIZE_MAX, &out);
	assert_string_equal(out.ptr, "refused");
	text_release(&input);
	text_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_overhead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
