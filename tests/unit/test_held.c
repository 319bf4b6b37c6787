/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/held: order, the reordering window, the bound of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "capture/held.h"

#define MS 1000000u

static bool append(struct held *h, uint32_t seq, const char *data, uint64_t time_ns, size_t *total)
{
	struct packet p = {.seq = seq, .data = span_of(data)};

	return held_append(h, &p, seq % 2, time_ns, total);
}

/* Copies come out in the order in which they went in, and give all memory back. */
static void test_order(void **state)
{
	struct held h = {0};
	char data[] = "first";
	size_t total = 0;
	struct held_packet *p;

	(void)state;
	assert_true(append(&h, 1, data, 10, &total));
	memset(data, 'x', 5);
	assert_true(append(&h, 2, "", 20, &total));
	assert_int_equal(h.count, 2);
	p = held_pop(&h);
	assert_int_equal(p->packet.seq, 1);
	assert_int_equal(p->from, 1);
	assert_int_equal(p->time_ns, 10);
	assert_true(span_is(p->packet.data, "first"));
	held_free(p, &total);
	p = held_pop(&h);
	assert_int_equal(p->packet.seq, 2);
	assert_int_equal(p->packet.data.len, 0);
	held_free(p, &total);
	assert_null(held_pop(&h));
	assert_int_equal(total, 0);
	assert_true(append(&h, 3, "again", 30, &total));
	held_release(&h, &total);
	assert_int_equal(total, 0);
	assert_int_equal(h.count, 0);
}

/* The window is over by time, or by the number of packets; a clock set back ends it never. */
static void test_window(void **state)
{
	struct held h = {0};
	size_t total = 0;

	(void)state;
	assert_false(held_is_over(&h, 1000 * MS));
	for (uint32_t i = 0; i < HELD_PACKETS_MAX; i++)
		assert_true(append(&h, i, "x", (uint64_t)(500 + i) * MS, &total));
	assert_false(held_is_over(&h, 500 * MS + HELD_NS_MAX));
	assert_true(held_is_over(&h, 500 * MS + HELD_NS_MAX + 1));
	assert_false(held_is_over(&h, 1));
	assert_true(append(&h, 99, "x", 516 * MS, &total));
	assert_true(held_is_over(&h, 516 * MS));
	held_release(&h, &total);
}

/* What does not fit into the memory of all queues is refused, and nothing is kept of it. */
static void test_memory(void **state)
{
	struct held h = {0};
	size_t total = HELD_BYTES_MAX - sizeof(struct held_packet) - 4;

	(void)state;
	assert_false(append(&h, 1, "12345", 10, &total));
	assert_int_equal(h.count, 0);
	assert_true(append(&h, 1, "1234", 10, &total));
	assert_int_equal(total, HELD_BYTES_MAX);
	assert_false(append(&h, 2, "", 10, &total));
	held_release(&h, &total);
	assert_int_equal(total, HELD_BYTES_MAX - sizeof(struct held_packet) - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
