/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the kernel, the engine and the pushes become series that never decrease. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/event.h"
#include "metrics/self_metrics.h"
#include "metrics/text.h"

struct fixture {
	struct registry *registry;
	struct self_metrics *self;
	struct text text;
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(1000);
	f.self = self_metrics_new(f.registry);
	text_init(&f.text);
	*state = &f;
	return f.self ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	self_metrics_free(f->self);
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

static void test_containers_add_up(void **state)
{
	struct fixture *f = *state;
	uint64_t first[SL_C_MAX] = {0};
	uint64_t second[SL_C_MAX] = {0};

	first[SL_C_RECORDS] = 10;
	first[SL_C_LOST_DATA] = 1;
	self_metrics_kernel(f->self, 1, "app", first);
	self_metrics_kernel(f->self, 1, "app", first); /* reported twice, counted once */
	assert_line(f, "\nsidelight_events_captured_total{container=\"app\"} 10\n");
	first[SL_C_RECORDS] = 15;
	self_metrics_kernel(f->self, 1, "app", first);
	/* The container restarts: a new cgroup begins at zero, the series goes on. */
	second[SL_C_RECORDS] = 3;
	self_metrics_kernel(f->self, 2, "app", second);
	assert_line(f, "\nsidelight_events_captured_total{container=\"app\"} 18\n");
	assert_line(f, "\nsidelight_events_lost_total{container=\"app\",reason=\"data\"} 1\n");
	assert_line(f, "\nsidelight_events_lost_total{container=\"app\",reason=\"open\"} 0\n");
	self_metrics_kernel(f->self, 3, "proxy", second);
	assert_line(f, "\nsidelight_events_captured_total{container=\"proxy\"} 3\n");
}

static void test_many_restarts(void **state)
{
	struct fixture *f = *state;
	uint64_t counters[SL_C_MAX] = {0};

	counters[SL_C_ACCEPTED] = 1;
	for (uint64_t id = 1; id <= 1000; id++) {
		self_metrics_kernel(f->self, id, "app", counters);
		self_metrics_kernel(f->self, id, "app", counters);
	}
	assert_line(f, "\nsidelight_tcp_accepted_total{container=\"app\"} 1000\n");
}

static void test_engine_and_push(void **state)
{
	struct fixture *f = *state;
	const struct engine_stats engine = {
		.conns_open = 2,
		.conns_total = 9,
		.conns_muted = {[SL_MUTE_TLS] = 3},
		.lost = {[ENGINE_LOST_EVICTED] = 4},
		.parse_failed = {[PARSE_FAIL_CHUNK] = 5},
	};
	const struct push_stats push = {.results = {[PUSH_OK] = 6, [PUSH_TIMEOUT] = 7},
					.skipped = 8,
					.protobuf_refused = 9,
					.last_seconds = .25};

	self_metrics_refresh(f->self, &engine, &push);
	assert_line(f, "\nsidelight_connections_open 2\n");
	assert_line(f, "\nsidelight_connections_total 9\n");
	assert_line(f, "\nsidelight_connections_muted_total{reason=\"tls\"} 3\n");
	assert_line(f, "\nsidelight_requests_lost_total{reason=\"evicted\"} 4\n");
	assert_line(f, "\nsidelight_parse_failures_total{reason=\"chunk\"} 5\n");
	assert_line(f, "\nsidelight_pushes_total{result=\"ok\"} 6\n");
	assert_line(f, "\nsidelight_pushes_total{result=\"timeout\"} 7\n");
	assert_line(f, "\nsidelight_pushes_skipped_total 8\n");
	assert_line(f, "\nsidelight_push_protobuf_refused_total 9\n");
	assert_line(f, "\nsidelight_push_last_duration_seconds 0.25\n");
	/* Twice gives no second series. */
	self_metrics_refresh(f->self, &engine, &push);
	assert_int_equal(registry_overflowed(f->registry), 0);
}

static void test_tcp_close(void **state)
{
	struct fixture *f = *state;

	self_metrics_tcp_close(f->self, &(struct event_close){.srtt_us = 80, .retransmits = 2});
	self_metrics_tcp_close(f->self, &(struct event_close){.srtt_us = 0, .retransmits = 1});
	assert_line(f, "\nsidelight_tcp_round_trip_seconds_bucket{le=\"3e-05\"} 0\n");
	assert_line(f, "\nsidelight_tcp_round_trip_seconds_bucket{le=\"0.0001\"} 1\n");
	assert_line(f, "\nsidelight_tcp_round_trip_seconds_count 1\n"); /* unknown is not zero */
}

/* What the BPF programs count in buckets of their own, by role. */
static void test_connection_times(void **state)
{
	struct fixture *f = *state;
	uint64_t counters[SL_C_MAX] = {0};
	uint64_t *handshakes = &counters[SL_C_TIME(SL_TIME_HANDSHAKE, SL_ROLE_CLIENT)];
	uint64_t *lives = &counters[SL_C_TIME(SL_TIME_LIFE, SL_ROLE_SERVER)];

	handshakes[0] = 2; /* up to 30 us */
	handshakes[SL_TIME_BOUNDS] = 1; /* over 3 s */
	handshakes[SL_TIME_BOUNDS + 1] = 4000050;
	self_metrics_kernel(f->self, 1, "app", counters);
	self_metrics_kernel(f->self, 1, "app", counters);
	assert_line(f, "\nsidelight_tcp_handshake_seconds_bucket{container=\"app\",role=\"client\","
		       "le=\"3e-05\"} 2\n");
	assert_line(f, "\nsidelight_tcp_handshake_seconds_bucket{container=\"app\",role=\"client\","
		       "le=\"3\"} 2\n");
	assert_line(f, "\nsidelight_tcp_handshake_seconds_count{container=\"app\",role=\"client\"} "
		       "3\n");
	assert_line(f, "\nsidelight_tcp_handshake_seconds_sum{container=\"app\",role=\"client\"} "
		       "4.00005\n");
	lives[1] = 1;
	lives[SL_TIME_BOUNDS + 1] = 1000;
	self_metrics_kernel(f->self, 1, "app", counters);
	assert_line(f, "\nsidelight_tcp_connection_duration_seconds_bucket{container=\"app\","
		       "role=\"server\",le=\"0.1\"} 1\n");
	assert_line(f, "\nsidelight_tcp_connection_duration_seconds_sum{container=\"app\","
		       "role=\"server\"} 1.04857");
	counters[SL_C_RESET_PEER] = 3;
	counters[SL_C_RESET_LOCAL] = 4;
	self_metrics_kernel(f->self, 1, "app", counters);
	assert_line(f, "\nsidelight_tcp_resets_total{container=\"app\",side=\"peer\"} 3\n");
	assert_line(f, "\nsidelight_tcp_resets_total{container=\"app\",side=\"local\"} 4\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_containers_add_up), TEST(test_many_restarts),
		TEST(test_engine_and_push),   TEST(test_tcp_close),
		TEST(test_connection_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
