/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection a header list is of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/transports.h"

#define NOW 100000

static struct transports transports;

static struct sl_list_end end_of(uint8_t last, uint16_t port)
{
	return (struct sl_list_end){.family = 4, .port = port, .addr = {10, 0, 0, last}};
}

/* Read by a server, from 10.0.0.<client>:1 */
static struct sl_header_list read_by(uint64_t object, uint8_t client, uint64_t writer)
{
	struct sl_header_list l = {.object = object,
				   .tgid = 7,
				   .function = SL_LIST_SERVER_READS,
				   .ends = {{end_of(client, 1), end_of(9, 80)}}};

	l.word[3] = writer;
	return l;
}

static struct sl_header_list written_by(uint32_t tgid, uint64_t writer)
{
	return (struct sl_header_list){.object = writer, .tgid = tgid, .function = SL_LIST_WRITES};
}

static const struct transport *find(struct sl_header_list l, uint64_t now_ms)
{
	return transports_find(&transports, &l, now_ms);
}

static int set_up(void **state)
{
	(void)state;
	memset(&transports, 0, sizeof(transports));
	return 0;
}

static void test_read(void **state)
{
	const struct transport *t = find(read_by(0x100, 1, 0xa), NOW);

	(void)state;
	assert_non_null(t);
	assert_true(t->is_server);
	assert_memory_equal(t->ends.end[0].addr, "\x0a\0\0\x01\0\0\0\0", 8);
	assert_int_equal(t->ends.end[1].port, 80);
}

static void test_written(void **state)
{
	(void)state;
	assert_null(find(written_by(7, 0xa), NOW));
	assert_non_null(find(read_by(0x100, 1, 0xa), NOW));
	assert_non_null(find(read_by(0x200, 2, 0xb), NOW));
	assert_int_equal(find(written_by(7, 0xb), NOW)->ends.end[0].addr[3], 2);
	assert_int_equal(find(written_by(7, 0xa), NOW)->ends.end[0].addr[3], 1);
	assert_null(find(written_by(8, 0xa), NOW)); /* another process */
	assert_null(find(written_by(7, 0xc), NOW));
}

/* Memory is used again: by the same object of another connection, or its writer by another one. */
static void test_reused(void **state)
{
	(void)state;
	assert_non_null(find(read_by(0x100, 1, 0xa), NOW));
	assert_non_null(find(read_by(0x100, 2, 0xa), NOW));
	assert_int_equal(find(written_by(7, 0xa), NOW)->ends.end[0].addr[3], 2);
	assert_non_null(find(read_by(0x200, 3, 0xa), NOW));
	assert_null(find(written_by(7, 0xa), NOW)); /* of one of two */
	assert_non_null(find(read_by(0x200, 3, 0xa), NOW + TRANSPORT_KEPT_MS));
	assert_int_equal(find(written_by(7, 0xa), NOW + TRANSPORT_KEPT_MS + 1)->ends.end[0].addr[3],
			 3);
}

/* More than there is room for: the ones that have read last are known. */
static void test_many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * TRANSPORTS_MAX; i++)
		assert_non_null(find(read_by(0x1000 + i, (uint8_t)i, 0x100000 + i), NOW + i));
	for (unsigned i = 0; i < 3 * TRANSPORTS_MAX; i++)
		assert_int_equal(find(written_by(7, 0x100000 + i), NOW + i) != NULL,
				 i >= 2 * TRANSPORTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, set_up),
		cmocka_unit_test_setup(test_written, set_up),
		cmocka_unit_test_setup(test_reused, set_up),
		cmocka_unit_test_setup(test_many, set_up),
	};

	return cmocka_run_group_tests_name("transports", tests, NULL, NULL);
}
