/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the PROXY protocol, whole and cut into two at every place, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/proxy.h"

#define V2	 "\r\n\r\n\0\r\nQUIT\n"
#define INET4	 "\xcb\0\x71\x07\x0a\0\0\1\x15\xb3\0\x50"
#define INET6	 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff\0\1"
#define FIFTY	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *why;
	const char *bytes;
	size_t len;
	enum proxy_result want;
	uint8_t family; /* 0: no address */
	uint8_t addr[16];
	uint16_t port;
} cases[] = {
	{"version 1, IPv4",
	 BYTES("PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n"),
	 PROXY_DONE,
	 4,
	 {203, 0, 113, 7},
	 5555},
	{"version 1, IPv6",
	 BYTES("PROXY TCP6 2001:db8::7 ::1 65535 1\r\n"),
	 PROXY_DONE,
	 6,
	 {0x20, 1, 0x0d, 0xb8, [15] = 7},
	 65535},
	{"version 1, no address", BYTES("PROXY UNKNOWN\r\n"), PROXY_DONE, 0, {0}, 0},
	{"the longest line",
	 BYTES("PROXY UNKNOWN " FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
	 PROXY_DONE,
	 0,
	 {0},
	 0},
	{"one byte longer",
	 BYTES("PROXY UNKNOWN " FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
	 PROXY_BAD,
	 0,
	 {0},
	 0},
	{"a port too large", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n"), PROXY_BAD, 0, {0}, 0},
	{"no port", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), PROXY_BAD, 0, {0}, 0},
	{"a field too many", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), PROXY_BAD, 0, {0}, 0},
	{"two spaces", BYTES("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), PROXY_BAD, 0, {0}, 0},
	{"a space at the end", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), PROXY_BAD, 0, {0}, 0},
	{"no carriage return", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), PROXY_BAD, 0, {0}, 0},
	{"IPv6 as IPv4", BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_BAD, 0, {0}, 0},
	{"a request of another method", BYTES("PROXY /TCP4 HTTP/1.1\r\n"), PROXY_NONE, 0, {0}, 0},
	{"a request", BYTES("POST / HTTP/1.1\r\n"), PROXY_NONE, 0, {0}, 0},
	{"HTTP/2", BYTES("PRI * HTTP/2.0\r\n"), PROXY_NONE, 0, {0}, 0},
	{"empty lines", BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), PROXY_NONE, 0, {0}, 0},
	{"version 2, IPv4",
	 BYTES(V2 "\x21\x11\0\x0c" INET4),
	 PROXY_DONE,
	 4,
	 {203, 0, 113, 7},
	 5555},
	{"version 2, IPv6",
	 BYTES(V2 "\x21\x21\0\x24" INET6),
	 PROXY_DONE,
	 6,
	 {0x20, 1, 0x0d, 0xb8, [15] = 7},
	 65535},
	{"and TLVs", BYTES(V2 "\x21\x11\0\x3e" INET4 FIFTY), PROXY_DONE, 4, {203, 0, 113, 7}, 5555},
	{"of IPv6",
	 BYTES(V2 "\x21\x21\0\x56" INET6 FIFTY),
	 PROXY_DONE,
	 6,
	 {0x20, 1, 0x0d, 0xb8, [15] = 7},
	 65535},
	{"the proxy itself", BYTES(V2 "\x20\x11\0\x0c" INET4), PROXY_DONE, 0, {0}, 0},
	{"the proxy itself, and nothing more", BYTES(V2 "\x20\0\0\0"), PROXY_DONE, 0, {0}, 0},
	{"an unknown family", BYTES(V2 "\x21\x41\0\x0c" INET4), PROXY_DONE, 0, {0}, 0},
	{"too short for its family", BYTES(V2 "\x21\x11\0\x0b" INET4), PROXY_BAD, 0, {0}, 0},
	{"likewise", BYTES(V2 "\x21\x31\0\x0c" INET4), PROXY_BAD, 0, {0}, 0},
	{"another version", BYTES(V2 "\x11\x11\0\x0c" INET4), PROXY_BAD, 0, {0}, 0},
	{"another command", BYTES(V2 "\x22\x11\0\x0c" INET4), PROXY_BAD, 0, {0}, 0},
};

/* In exact copies, so that a sanitizer sees each byte that is read beyond. */
static enum proxy_result push_copy(struct proxy *p, struct span data, size_t *ret_used)
{
	char *copy = malloc(data.len);
	enum proxy_result result;

	assert_non_null(copy);
	memcpy(copy, data.ptr, data.len);
	result = proxy_push(p, (struct span){copy, data.len}, ret_used);
	free(copy);
	return result;
}

static void check_end(size_t i, enum proxy_result result, struct proxy *p, size_t used)
{
	struct endpoint source = {0};

	if (result != cases[i].want)
		print_error("%s: %d\n", cases[i].why, result);
	assert_int_equal(result, cases[i].want);
	if (result != PROXY_DONE)
		return;
	assert_int_equal(used, cases[i].len);
	assert_int_equal(proxy_source(p, &source), cases[i].family != 0);
	assert_int_equal(source.family, cases[i].family);
	assert_memory_equal(source.addr, cases[i].addr, sizeof(source.addr));
	assert_int_equal(source.port, cases[i].port);
}

/* first bytes together, and the rest in segments of step bytes. */
static void check_cut(size_t i, size_t first, size_t step)
{
	struct span data = {cases[i].bytes, cases[i].len};
	enum proxy_result result = PROXY_MORE;
	struct proxy p = {0};
	size_t total = 0;
	size_t used;
	size_t n = first;

	for (; data.len && result == PROXY_MORE; data = span_from(data, n), n = step) {
		n = n < data.len ? n : data.len;
		result = push_copy(&p, (struct span){data.ptr, n}, &used);
		if (result == PROXY_MORE)
			assert_int_equal(used, n);
		total += used;
	}
	check_end(i, result, &p, total);
}

static void test_whole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t first = 1; first <= cases[i].len; first++)
			check_cut(i, first, cases[i].len);
		check_cut(i, 1, 1);
	}
}

static void test_what_follows_is_not_used(void **state)
{
	static const char both[] = "PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n";
	struct proxy p = {0};
	size_t used;

	(void)state;
	assert_int_equal(push_copy(&p, span_of(both), &used), PROXY_DONE);
	assert_int_equal(used, sizeof("PROXY UNKNOWN\r\n") - 1);
}

static void test_missed_bytes(void **state)
{
	struct proxy p = {0};
	size_t used;

	(void)state;
	assert_int_equal(
		push_copy(&p, (struct span){BYTES(V2 "\x21\x21\0\x56" INET6 "abc")}, &used),
		PROXY_MORE);
	assert_false(proxy_skip(&p, 48));
	assert_true(proxy_skip(&p, 46));
	assert_int_equal(push_copy(&p, (struct span){BYTES("xGET /")}, &used), PROXY_DONE);
	assert_int_equal(used, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_cut),
		cmocka_unit_test(test_what_follows_is_not_used),
		cmocka_unit_test(test_missed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
