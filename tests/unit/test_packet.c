/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/packet: complete packets, and every prefix of them against a guard page, as a snapshot
 * length truncates them. Real captures are tested by tests/replay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <pcap/pcap.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/packet.h"

#define ETHER "\2\0\0\0\0\1\2\0\0\0\0\2"
#define IP4   "\x45\0\0\x2b\0\1\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"
#define IP6                                                                                        \
	"\x60\0\0\0\0\x1f\0\x40"                                                                   \
	"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"                     \
	"\6\0\1\4\0\0\0\0"
#define TCP "\x9c\x41\0\x50\1\2\3\4\5\6\7\x08\x50\x18\xff\xff\0\0\0\0abc"

static const struct {
	const char *why;
	int link;
	const char *bytes;
	size_t len;
	size_t header; /* bytes before the payload */
} rows[] = {
#define ROW(why, link, bytes)                                                                      \
	{                                                                                          \
		why, link, bytes, sizeof(bytes) - 1, sizeof(bytes) - 1 - 3                         \
	}
	ROW("Ethernet, IPv4", DLT_EN10MB, ETHER "\x08\0" IP4 TCP),
	ROW("Ethernet, two tags, IPv4", DLT_EN10MB, ETHER "\x88\xa8\0\1\x81\0\0\2\x08\0" IP4 TCP),
	ROW("Ethernet, IPv6 with hop-by-hop options", DLT_EN10MB, ETHER "\x86\xdd" IP6 TCP),
	ROW("raw", DLT_RAW, IP4 TCP),
	ROW("loopback", DLT_NULL, "\2\0\0\0" IP4 TCP),
	ROW("cooked v2", DLT_LINUX_SLL2, "\x08\0\0\0\0\0\0\1\0\1\4\6\0\0\0\0\0\0\0\0" IP4 TCP),
};

static void test_prefixes(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t n = 0; n <= rows[i].len; n++) {
			char *at = map + page - n;
			struct packet p;
			enum packet_fate fate;

			memcpy(at, rows[i].bytes, n);
			fate = packet_parse(rows[i].link, (struct span){at, n}, rows[i].len, &p);
			if (n < rows[i].header) {
				assert_int_equal(fate, PACKET_CUT);
				continue;
			}
			assert_int_equal(fate, PACKET_TCP);
			assert_int_equal(p.data.len, n - rows[i].header);
			assert_int_equal(p.cut_bytes, rows[i].len - n);
			assert_int_equal(p.src.port, 40001);
			assert_int_equal(p.dst.port, 80);
			assert_int_equal(p.dst.addr[p.dst.family == 4 ? 3 : 15], 2);
			assert_int_equal(p.seq, 0x01020304);
			assert_int_equal(p.ack, 0x05060708);
			assert_int_equal(p.flags, PACKET_ACK | 8);
		}
		/* The same length on the wire: the packet is malformed, not truncated. */
		for (size_t n = 0; n < rows[i].header; n++) {
			struct packet p;

			assert_int_not_equal(
				packet_parse(rows[i].link, (struct span){rows[i].bytes, n}, n, &p),
				PACKET_TCP);
		}
	}
	assert_int_equal(munmap(map, 2 * page), 0);
}

static void test_links(void **state)
{
	struct packet p;

	(void)state;
	assert_true(packet_link_is_known(DLT_LINUX_SLL));
	assert_false(packet_link_is_known(DLT_IEEE802_11));
	assert_int_equal(packet_parse(DLT_IEEE802_11, (struct span){IP4 TCP, 43}, 43, &p),
			 PACKET_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
