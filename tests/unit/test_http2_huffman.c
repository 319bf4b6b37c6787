/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Huffman code of HPACK: every symbol, strings truncated at every byte, and malformed ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guard.h"
#include "hex.h"
#include "proto/http2_huffman.h"

static struct guard guard;

/* Decodes n bytes; nothing behind them is read, nothing behind the room is written. */
static bool decode(const char *code, size_t n, char *out, size_t *ret_len)
{
	size_t room = HTTP2_HUFFMAN_ROOM(n);
	bool is_code;

	memset(out, '~', room + 1);
	is_code = http2_huffman_decode(guard_put(&guard, (struct span){code, n}), out, ret_len);
	assert_true(*ret_len <= room);
	assert_int_equal(out[room], '~');
	return is_code;
}

/* The bytes from 0 to 255, by the encoder of another implementation (Debian's python3-hpack). */
static const char all[] =
	"ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffab"
	"ffffffdfffffebfffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3f"
	"ffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb0008"
	"9969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9"
	"ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9fff"
	"fa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfff"
	"ebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffe"
	"effff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07f"
	"ff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff"
	"83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8"
	"fffffb7fff97fff8fffffe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffe"
	"fffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffffcffffeaffffafffffddffffe"
	"ffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3fffffabfffff5f"
	"ffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf";

static void test_all_symbols(void **state)
{
	char out[HTTP2_HUFFMAN_ROOM(sizeof(all)) + 1];
	char code[sizeof(all)];
	size_t n = hex_bytes(all, code, sizeof(code));
	size_t len;

	(void)state;
	assert_true(decode(code, n, out, &len));
	assert_int_equal(len, 256);
	for (int i = 0; i < 256; i++)
		assert_int_equal((unsigned char)out[i], i);
	/* A truncated string is decoded as far as it goes, or rejected. */
	for (size_t cut = 0; cut < n; cut++) {
		(void)decode(code, cut, out, &len);
		assert_true(len <= 256);
		for (size_t i = 0; i < len; i++)
			assert_int_equal((unsigned char)out[i], i);
	}
}

static void test_strings(void **state)
{
	static const struct {
		const char *why;
		const char *hex;
		const char *want; /* NULL: it is none */
	} rows[] = {
		{"nothing", "", ""},
		{"RFC 7541 C.4.1", "f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"},
		{"RFC 7541 C.6.1", "aec3771a4b", "private"},
		{"a symbol of five bits, three of padding", "1f", "a"},
		{"a symbol of eight bits, none of padding", "f8", "&"},
		{"padding of seven bits", "18c631ff", "aaaaa"},
		{"padding with a zero", "1e", NULL},
		{"padding of zeros", "18", NULL},
		{"padding of eight bits", "ff", NULL},
		{"padding of eleven bits", "1fff", NULL},
		{"the symbol of the end", "3fffffff", NULL},
		{"the symbol of the end behind another", "1fffffffff", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char code[64];
		char out[128];
		size_t n = hex_bytes(rows[i].hex, code, sizeof(code));
		size_t len;
		bool is_code = decode(code, n, out, &len);

		if (is_code != (rows[i].want != NULL) ||
		    (rows[i].want &&
		     (len != strlen(rows[i].want) || memcmp(out, rows[i].want, len) != 0)))
			fail_msg("%s: %d, %.*s", rows[i].why, is_code, (int)len, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_symbols),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("http2_huffman", tests, NULL, NULL);
}
