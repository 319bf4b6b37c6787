/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/reorder_queue: order, the time and size limits, the memory bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "capture/reorder_queue.h"

#define MS 1000000u

static bool append(struct reorder_queue *h, uint32_t seq, const char *data, uint64_t time_ns,
		   size_t *total)
{
	struct packet p = {.seq = seq, .data = span_of(data)};

	return reorder_queue_append(h, &p, seq % 2, time_ns, total);
}

/* Copies come out in first-in, first-out order, and all memory is freed. */
static void test_order(void **state)
{
	struct reorder_queue h = {0};
	char data[] = "first";
	size_t total = 0;
	struct queued_packet *p;

	(void)state;
	assert_true(append(&h, 1, data, 10, &total));
	memset(data, 'x', 5);
	assert_true(append(&h, 2, "", 20, &total));
	assert_int_equal(h.count, 2);
	p = reorder_queue_pop(&h);
	assert_int_equal(p->packet.seq, 1);
	assert_int_equal(p->from, 1);
	assert_int_equal(p->time_ns, 10);
	assert_true(span_is(p->packet.data, "first"));
	queued_packet_free(p, &total);
	p = reorder_queue_pop(&h);
	assert_int_equal(p->packet.seq, 2);
	assert_int_equal(p->packet.data.len, 0);
	queued_packet_free(p, &total);
	assert_null(reorder_queue_pop(&h));
	assert_int_equal(total, 0);
	assert_true(append(&h, 3, "again", 30, &total));
	reorder_queue_release(&h, &total);
	assert_int_equal(total, 0);
	assert_int_equal(h.count, 0);
}

/* The first packet is due by time or by the number of packets; never because the clock is set back.
 */
static void test_window(void **state)
{
	struct reorder_queue h = {0};
	size_t total = 0;

	(void)state;
	assert_false(reorder_queue_is_due(&h, 1000 * MS));
	for (uint32_t i = 0; i < REORDER_PACKETS_MAX; i++)
		assert_true(append(&h, i, "x", (uint64_t)(500 + i) * MS, &total));
	assert_false(reorder_queue_is_due(&h, 500 * MS + REORDER_NS_MAX));
	assert_true(reorder_queue_is_due(&h, 500 * MS + REORDER_NS_MAX + 1));
	assert_false(reorder_queue_is_due(&h, 1));
	assert_true(append(&h, 99, "x", 516 * MS, &total));
	assert_true(reorder_queue_is_due(&h, 516 * MS));
	reorder_queue_release(&h, &total);
}

/* A packet that exceeds the memory of all queues is refused without a trace. */
static void test_memory(void **state)
{
	struct reorder_queue h = {0};
	size_t total = REORDER_BYTES_MAX - sizeof(struct queued_packet) - 4;

	(void)state;
	assert_false(append(&h, 1, "12345", 10, &total));
	assert_int_equal(h.count, 0);
	assert_true(append(&h, 1, "1234", 10, &total));
	assert_int_equal(total, REORDER_BYTES_MAX);
	assert_false(append(&h, 2, "", 10, &total));
	reorder_queue_release(&h, &total);
	assert_int_equal(total, REORDER_BYTES_MAX - sizeof(struct queued_packet) - 4);
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
