/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of open connections become series, and their ends are counted once. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/tcp_sockets.h"
#include "metrics/text.h"

struct fixture {
	struct registry *registry;
	struct tcp_sockets *sockets;
	struct text text;
};

static const char *name_of(void *ctx, uint64_t id)
{
	(void)ctx;
	return id ? "app" : "";
}

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(2000);
	f.sockets = tcp_sockets_new(f.registry, name_of, NULL);
	text_init(&f.text);
	*state = &f;
	return f.sockets ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tcp_sockets_free(f->sockets);
	registry_free(f->registry);
	text_release(&f->text);
	return 0;
}

static void assert_line(struct fixture *f, const char *line)
{
	text_clear(&f->text);
	text_encode(&f->text, f->registry, TEXT_PROMETHEUS, NULL, 0);
	if (!strstr(f->text.ptr, line))
		fail_msg("no line %s in %s", line, f->text.ptr);
}

static struct channel_socket server(uint64_t id, uint32_t retransmits)
{
	return (struct channel_socket){.number = 1,
				       .conn_id = id,
				       .cookie = id,
				       .remote_addr = {htonl(0x0a000000 + (uint32_t)id)},
				       .remote_port = 40000,
				       .srtt_us = 1000,
				       .retransmits = retransmits,
				       .send_window = 1,
				       .family = 4,
				       .role = SL_ROLE_SERVER};
}

static struct channel_socket client(uint64_t id, uint16_t port)
{
	struct channel_socket s = server(id, 0);

	s.role = SL_ROLE_CLIENT;
	s.remote_port = port;
	return s;
}

static void list(struct fixture *f, const struct channel_socket *sockets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tcp_sockets_add(f->sockets, &sockets[i]);
	tcp_sockets_end(f->sockets, true, false);
}

#define SERVER	"{container=\"app\",role=\"server\"} "
#define RETRANS "\nsidelight_tcp_retransmits_total" SERVER

static void test_gauges_are_of_the_last_list(void **state)
{
	struct channel_socket two[] = {server(1, 0), server(2, 0)};
	struct fixture *f = *state;

	tcp_sockets_container(f->sockets, 1);
	assert_line(f, "\nsidelight_tcp_connections_open" SERVER "0\n");
	assert_line(f, RETRANS "0\n");
	two[1].srtt_us = 3000;
	two[1].send_window = 0;
	list(f, two, 2);
	assert_line(f, "\nsidelight_tcp_connections_open" SERVER "2\n");
	assert_line(f, "\nsidelight_tcp_open_round_trip_mean_seconds" SERVER "0.002\n");
	assert_line(f, "\nsidelight_tcp_open_round_trip_max_seconds" SERVER "0.003\n");
	assert_line(f, "\nsidelight_tcp_zero_window_connections{container=\"app\",role=\"server\","
		       "side=\"peer\"} 1\n");
	list(f, two, 1);
	assert_line(f, "\nsidelight_tcp_connections_open" SERVER "1\n");
	assert_line(f, "\nsidelight_tcp_open_round_trip_max_seconds" SERVER "0.001\n");
	assert_line(f, "\nsidelight_tcp_zero_window_connections{container=\"app\",role=\"server\","
		       "side=\"peer\"} 0\n");
	/* A list that was not made changes nothing. */
	tcp_sockets_end(f->sockets, false, false);
	assert_line(f, "\nsidelight_tcp_connections_open" SERVER "1\n");
	list(f, two, 0);
	assert_line(f, "\nsidelight_tcp_connections_open" SERVER "0\n");
	assert_line(f, "\nsidelight_tcp_lists_total 3\n");
	assert_line(f, "\nsidelight_tcp_lists_cut_total 0\n");
}

static void test_retransmissions_are_counted_once(void **state)
{
	const struct endpoint remote = {.family = 4, .addr = {10, 0, 0, 9}, .port = 40000};
	const struct tcp_ended ended = {1, ROLE_SERVER, &remote};
	const struct tcp_ended unknown = {0, ROLE_UNKNOWN, NULL};
	struct channel_socket s = server(9, 2);
	struct fixture *f = *state;

	list(f, &s, 1);
	assert_line(f, RETRANS "2\n");
	s.retransmits = 5;
	list(f, &s, 1);
	assert_line(f, RETRANS "5\n");
	tcp_sockets_closed(f->sockets, 9, 6, &ended);
	assert_line(f, RETRANS "6\n");
	/* Its list was on its way when it ended. */
	list(f, &s, 1);
	assert_line(f, RETRANS "6\n");
	assert_int_equal(tcp_sockets_count(f->sockets), 0);
	/* One that was in no list, and one of which nothing is known. */
	tcp_sockets_closed(f->sockets, 10, 3, &ended);
	assert_line(f, RETRANS "9\n");
	tcp_sockets_closed(f->sockets, 11, 1, &unknown);
	tcp_sockets_closed(f->sockets, 12, 0, &unknown);
	text_clear(&f->text);
	assert_line(f, "\nsidelight_tcp_retransmits_total 1\n");
}

static void test_servers_are_bounded(void **state)
{
	static struct channel_socket many[TCP_SERVERS_MAX + 10];
	struct fixture *f = *state;

	for (uint16_t i = 0; i < TCP_SERVERS_MAX + 10; i++)
		many[i] = client(7, (uint16_t)(1000 + i));
	for (size_t i = 0; i < TCP_SERVERS_MAX + 10; i++)
		many[i].conn_id = many[i].cookie = i + 1;
	list(f, many, TCP_SERVERS_MAX + 10);
	assert_line(f, "\nsidelight_tcp_connections_open{container=\"app\",role=\"client\","
		       "server_address=\"10.0.0.7\",server_port=\"1063\"} 1\n");
	assert_line(f, "\nsidelight_tcp_connections_open{container=\"app\",role=\"client\","
		       "server_address=\"_OTHER\"} 10\n");
}

/* A connection without data has no id, and is known by its cookie. */
static void test_connections_without_id(void **state)
{
	struct channel_socket two[] = {server(1, 1), server(2, 1)};
	struct fixture *f = *state;

	two[0].conn_id = two[1].conn_id = 0;
	list(f, two, 2);
	list(f, two, 2);
	assert_line(f, RETRANS "2\n");
	assert_int_equal(tcp_sockets_count(f->sockets), 2);
}

static void test_more_than_there_is_room_for(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= TCP_SOCKETS_MAX + 1; id++) {
		struct channel_socket s = server(id, 0);

		tcp_sockets_add(f->sockets, &s);
	}
	tcp_sockets_end(f->sockets, true, false);
	assert_int_equal(tcp_sockets_count(f->sockets), TCP_SOCKETS_MAX);
	assert_true(tcp_sockets_is_cut(f->sockets));
	assert_line(f, "\nsidelight_tcp_lists_cut_total 1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The table is charged to the budget, and takes nothing from others. */
static void test_memory(void **state)
{
	struct fixture *f = *state;
	struct memory_budget budget;
	struct memory_account other = {.budget = &budget};
	struct channel_socket s;
	void *taken;
	size_t full;

	memory_budget_init(&budget, 64 * 1024); /* a share of 4 KiB */
	tcp_sockets_charge(f->sockets, &budget);
	for (uint64_t i = 1; i <= 100; i++) {
		s = server(i, 0);
		tcp_sockets_add(f->sockets, &s);
	}
	full = tcp_sockets_count(f->sockets);
	assert_in_range(full, 8, 4096 / sizeof(s));
	assert_in_range(budget.used, full * sizeof(s), 4096 + 64);
	tcp_sockets_end(f->sockets, true, false);
	assert_true(tcp_sockets_is_cut(f->sockets));
	assert_line(f, "sidelight_tcp_lists_cut_total 1\n");
	/* The next list is empty, and everything is given back. */
	tcp_sockets_end(f->sockets, true, false);
	assert_int_equal(tcp_sockets_count(f->sockets), 0);
	assert_int_equal(budget.used, 0);
	/* Others have taken all of it. */
	budget.account_cap = budget.cap;
	taken = memory_alloc(&other, budget.cap - 100);
	assert_non_null(taken);
	s = server(7, 0);
	tcp_sockets_add(f->sockets, &s);
	assert_int_equal(tcp_sockets_count(f->sockets), 0);
	assert_int_equal(budget.refused, 0);
	memory_free(&other, taken);
	tcp_sockets_charge(f->sockets, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		TEST(test_gauges_are_of_the_last_list),
		TEST(test_retransmissions_are_counted_once),
		TEST(test_servers_are_bounded),
		TEST(test_connections_without_id),
		TEST(test_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
