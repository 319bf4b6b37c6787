/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's end of the channel, when the broker answers late, or not at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "broker/link.h"

struct world {
	struct link link;
	int broker; /* the other end */
	uint64_t resident_bytes; /* as handed out */
	unsigned sockets; /* likewise */
	unsigned lists; /* that have ended */
	bool is_new; /* the last of them, as the next */
	bool is_cut;
	unsigned waits; /* calls of waiting() */
	void (*meanwhile)(struct world *w); /* in each of them, or NULL */
};

static void on_usage(void *ctx, const struct usage *broker)
{
	((struct world *)ctx)->resident_bytes = broker->resident_bytes;
}

static void on_looks(void *ctx, uint64_t count, uint64_t cut)
{
	(void)ctx;
	(void)count;
	(void)cut;
}

static void on_sockets(void *ctx, const struct channel_socket *sockets, size_t count)
{
	struct world *w = ctx;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(sockets[i].cookie, w->sockets++);
}

static void on_listed(void *ctx, bool is_new, bool is_cut)
{
	struct world *w = ctx;

	w->lists++;
	w->is_new = is_new;
	w->is_cut = is_cut;
}

static void on_waiting(void *ctx)
{
	struct world *w = ctx;

	w->waits++;
	if (w->meanwhile)
		w->meanwhile(w);
}

static void on_lists_lost(void *ctx, uint64_t count)
{
	(void)ctx;
	(void)count;
}

static const struct link_ops ops = {.usage = on_usage,
				    .lists_lost = on_lists_lost,
				    .looks = on_looks,
				    .sockets = on_sockets,
				    .listed = on_listed,
				    .waiting = on_waiting};

static int set_up(void **state)
{
	static struct world w;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	w = (struct world){.broker = ends[0]};
	link_init(&w.link, ends[1], &ops, &w);
	w.link.wait_ms = 20;
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	link_close(&w->link);
	if (w->broker >= 0)
		(void)close(w->broker);
	return 0;
}

/* How many messages of this kind the worker has sent, and no other. */
static unsigned asked(struct world *w, enum channel_kind kind)
{
	struct channel_message m;
	unsigned n = 0;

	while (channel_receive(w->broker, &m, SIDE_WORKER) == 0) {
		assert_int_equal(m.kind, kind);
		n++;
	}
	return n;
}

static void answer_closes(struct world *w, uint32_t first, uint32_t count)
{
	struct channel_message m = {.kind = CHANNEL_CLOSES, .count = count};

	for (uint32_t i = 0; i < count; i++)
		m.closes[i].srtt_us = first + i;
	assert_int_equal(channel_send(w->broker, &m), 0);
}

static void test_late_closes_are_not_lost(void **state)
{
	struct world *w = *state;
	struct sl_close closes[64];

	for (int i = 0; i < 3; i++)
		assert_int_equal(link_fetch_closes(&w->link, closes, 64), -ETIMEDOUT);
	assert_int_equal(asked(w, CHANNEL_FETCH), 1);
	answer_closes(w, 100, 2);
	/* Whatever reads the channel first. */
	link_catch_up(&w->link);
	assert_int_equal(link_fetch_closes(&w->link, closes, 64), 2);
	assert_int_equal(closes[0].srtt_us, 100);
	assert_int_equal(closes[1].srtt_us, 101);
	assert_int_equal(asked(w, CHANNEL_FETCH), 0);
	/* In time again: what comes belongs to the question that was asked. */
	answer_closes(w, 200, 1);
	assert_int_equal(link_fetch_closes(&w->link, closes, 64), 1);
	assert_int_equal(closes[0].srtt_us, 200);
}

static void test_more_follow_a_full_message(void **state)
{
	struct world *w = *state;
	struct sl_close closes[64];

	answer_closes(w, 0, CHANNEL_CLOSES_MAX);
	answer_closes(w, CHANNEL_CLOSES_MAX, 3);
	assert_int_equal(link_fetch_closes(&w->link, closes, 64), CHANNEL_CLOSES_MAX + 3);
	for (uint32_t i = 0; i < CHANNEL_CLOSES_MAX + 3; i++)
		assert_int_equal(closes[i].srtt_us, i);
	assert_int_equal(asked(w, CHANNEL_FETCH), 2);
}

/* The answer to the request with this number, counted from 1: 4096 bytes for each. */
static void answer_refresh(struct world *w, uint64_t number)
{
	struct channel_message m = {.kind = CHANNEL_REFRESHED, .refreshed = {4096 * number, 1}};

	assert_int_equal(channel_send(w->broker, &m), 0);
}

static void answer_at_last(struct world *w)
{
	if (w->waits == 3)
		answer_refresh(w, 1);
}

/* The ring is read while the broker is busy. */
static void test_something_is_done_while_an_answer_is_awaited(void **state)
{
	struct world *w = *state;

	w->link.wait_ms = 5000;
	w->meanwhile = answer_at_last;
	link_refresh(&w->link);
	assert_int_equal(w->waits, 3);
	assert_int_equal(w->resident_bytes, 4096);
	assert_false(w->link.is_late);
}

/* Of the answers that have come, the second one is that of the request below. */
static void fetch_meanwhile(struct world *w)
{
	struct sl_close closes[64];

	w->meanwhile = NULL;
	answer_refresh(w, 1);
	answer_closes(w, 0, 1);
	assert_int_equal(link_fetch_closes(&w->link, closes, 64), 1);
}

static void test_an_answer_that_another_request_has_read(void **state)
{
	struct world *w = *state;

	w->link.wait_ms = 5000;
	w->meanwhile = fetch_meanwhile;
	link_refresh(&w->link);
	assert_int_equal(w->waits, 1);
	assert_int_equal(w->resident_bytes, 4096);
	assert_false(w->link.is_late);
}

static void answer_second(struct world *w)
{
	w->meanwhile = NULL;
	answer_refresh(w, 2);
}

/* The first answer comes in the second request, which is not satisfied by it. */
static void answer_both(struct world *w)
{
	if (w->waits == 1)
		answer_refresh(w, 1);
	w->meanwhile = w->waits > 3 ? answer_second : answer_both;
}

static void refresh_meanwhile(struct world *w)
{
	w->meanwhile = answer_both;
	w->waits = 0;
	link_refresh(&w->link);
	assert_int_equal(w->resident_bytes, 8192);
	assert_int_equal(w->link.refreshes_answered, 2);
}

static void test_a_refresh_within_another(void **state)
{
	struct world *w = *state;

	w->link.wait_ms = 5000;
	w->meanwhile = refresh_meanwhile;
	link_refresh(&w->link);
	assert_int_equal(w->waits, 5);
	assert_int_equal(asked(w, CHANNEL_REFRESH), 2);
	assert_false(w->link.is_late);
	/* Nothing is left over for the next one. */
	link_catch_up(&w->link);
	assert_int_equal(w->link.refreshes_answered, 2);
}

static void fail_to_refresh(struct world *w)
{
	int channel = w->link.channel;

	w->link.channel = -1;
	w->meanwhile = answer_at_last;
	link_refresh(&w->link);
	w->link.channel = channel;
}

/* The one around it still waits for its answer. */
static void test_a_refresh_within_another_that_cannot_be_asked_for(void **state)
{
	struct world *w = *state;

	w->link.wait_ms = 5000;
	w->meanwhile = fail_to_refresh;
	link_refresh(&w->link);
	assert_int_equal(w->waits, 3);
	assert_int_equal(w->resident_bytes, 4096);
}

static void test_late_counters(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		link_refresh(&w->link);
		assert_true(w->link.is_late);
	}
	/* They do not pile up. */
	assert_int_equal(asked(w, CHANNEL_REFRESH), 1);
	assert_int_equal(w->resident_bytes, 0);
	answer_refresh(w, 1);
	w->link.wait_ms = 5000;
	w->meanwhile = answer_second;
	link_refresh(&w->link);
	assert_false(w->link.is_late);
	assert_int_equal(w->resident_bytes, 8192);
	assert_int_equal(asked(w, CHANNEL_REFRESH), 1);
}

/* An answer that comes after its time, to whoever reads the channel. */
static void test_late_counters_do_not_satisfy_the_next_request(void **state)
{
	struct world *w = *state;

	link_refresh(&w->link);
	assert_true(w->link.is_late);
	answer_refresh(w, 1);
	link_catch_up(&w->link);
	assert_false(w->link.is_late);
	assert_int_equal(w->resident_bytes, 4096);
	w->link.wait_ms = 5000;
	w->meanwhile = answer_second;
	link_refresh(&w->link);
	assert_int_equal(w->resident_bytes, 8192);
	assert_false(w->link.is_late);
}

static void be_slow(struct world *w)
{
	(void)w;
	(void)usleep(50000);
}

/* The time that is spent in waiting() counts. */
static void test_the_limit_of_the_time(void **state)
{
	struct world *w = *state;

	w->link.wait_ms = 100;
	w->meanwhile = be_slow;
	link_refresh(&w->link);
	assert_true(w->link.is_late);
	assert_in_range(w->waits, 1, 2);
}

static void answer_list(struct world *w, uint32_t count, bool has_more)
{
	struct channel_message sockets = {.kind = CHANNEL_SOCKETS, .count = count};
	struct channel_message listed = {.kind = CHANNEL_LISTED,
					 .listed = {.has_more = has_more, .is_new = !has_more}};

	for (uint32_t i = 0; i < count; i++)
		sockets.sockets[i] = (struct channel_socket){
			.number = 1, .cookie = w->sockets + i, .family = 4, .role = SL_ROLE_SERVER};
	assert_int_equal(channel_send(w->broker, &sockets), 0);
	assert_int_equal(channel_send(w->broker, &listed), 0);
}

/* A list comes in parts, each of which is asked for when the one before was read. */
static void test_a_list_in_parts(void **state)
{
	struct world *w = *state;

	link_list(&w->link, 0);
	link_list(&w->link, 0);
	assert_int_equal(asked(w, CHANNEL_LIST), 1); /* one at a time */
	answer_list(w, 8, true);
	link_catch_up(&w->link);
	assert_int_equal(w->sockets, 8);
	assert_int_equal(w->lists, 0);
	assert_int_equal(asked(w, CHANNEL_LIST), 1);
	answer_list(w, 3, false);
	link_catch_up(&w->link);
	assert_int_equal(w->sockets, 11);
	assert_int_equal(w->lists, 1);
	assert_true(w->is_new && !w->is_cut);
	assert_int_equal(asked(w, CHANNEL_LIST), 0);
}

/* Whoever waits has it in time, or later; the next question waits for the same list. */
static void test_a_list_that_is_waited_for(void **state)
{
	struct world *w = *state;

	link_list(&w->link, 20);
	assert_int_equal(w->lists, 0);
	answer_list(w, 1, false);
	link_list(&w->link, 1000);
	assert_int_equal(w->lists, 1);
	assert_int_equal(asked(w, CHANNEL_LIST), 1);
}

static void test_a_broker_that_is_gone(void **state)
{
	struct world *w = *state;
	struct sl_close closes[64];

	(void)close(w->broker);
	w->broker = -1;
	assert_int_equal(link_fetch_closes(&w->link, closes, 64), -EPIPE);
	link_refresh(&w->link);
	assert_false(w->link.is_late);
	link_catch_up(&w->link);
	assert_true(w->link.is_lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_late_closes_are_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_follow_a_full_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_something_is_done_while_an_answer_is_awaited,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_answer_that_another_request_has_read,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_refresh_within_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_refresh_within_another_that_cannot_be_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_counters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_counters_do_not_satisfy_the_next_request,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_limit_of_the_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_list_in_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_list_that_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_broker_that_is_gone, set_up, tear_down),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
