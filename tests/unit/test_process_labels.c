/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of processes: who gets which, and that no request is lost beyond their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "metrics/process_labels.h"
#include "metrics/red.h"
#include "series_value.h"

#define SECOND UINT64_C(1000000000)

struct fixture {
	struct registry *registry;
	struct process_labels *labels;
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(2000);
	f.labels = process_labels_new(f.registry);
	*state = &f;
	return f.labels ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	process_labels_free(f->labels);
	registry_free(f->registry);
	return 0;
}

static void expect(struct process_labels *p, uint32_t pid, const char *name, const char *shown)
{
	const struct process_label *label = process_labels_at(p, process_labels_find(p, pid));

	assert_string_equal(label->name, name);
	assert_string_equal(label->pid, shown);
}

static void test_names(void **state)
{
	struct process_labels *p = ((struct fixture *)*state)->labels;

	expect(p, 0, "", ""); /* the kernel does not tell it */
	assert_false(process_labels_asks(p, 0, SECOND));
	assert_true(process_labels_asks(p, 7, SECOND));
	process_labels_tell(p, 7, "nginx", 1, SECOND);
	expect(p, 7, "nginx", "7");
	assert_false(process_labels_asks(p, 7, SECOND + 1));
	/* A program changes its name: asked for again after a second. */
	assert_true(process_labels_asks(p, 7, 2 * SECOND));
	process_labels_tell(p, 7, "worker", 1, 2 * SECOND);
	expect(p, 7, "worker", "7");
	/* It has ended, and what it did before is still counted for it. */
	process_labels_tell(p, 7, "", 0, 3 * SECOND);
	expect(p, 7, "worker", "7");
	/* One that has ended before anybody asked. */
	process_labels_tell(p, 8, "", 0, SECOND);
	expect(p, 8, "unknown", "unknown");
	/* Never told. */
	expect(p, 9, "unknown", "unknown");
}

static void test_number_used_again(void **state)
{
	struct process_labels *p = ((struct fixture *)*state)->labels;

	/* The event is older than the process that has the number now. */
	process_labels_tell(p, 7, "new", 5 * SECOND, 4 * SECOND);
	expect(p, 7, "unknown", "unknown");
	assert_true(process_labels_asks(p, 7, 4 * SECOND)); /* of the new one nothing is known */
	process_labels_tell(p, 7, "new", 5 * SECOND, 5 * SECOND);
	expect(p, 7, "new", "7");
	process_labels_tell(p, 7, "newer", 7 * SECOND, 6 * SECOND);
	expect(p, 7, "new", "7"); /* the request was of the one before */
	assert_true(process_labels_asks(p, 7, 6 * SECOND));
	process_labels_tell(p, 7, "newer", 7 * SECOND, 7 * SECOND);
	expect(p, 7, "newer", "7");
	/* The start is known to a tick: 10 ms in doubt are the same process. */
	process_labels_tell(p, 6, "same", 8 * SECOND + SECOND / 100, 8 * SECOND);
	expect(p, 6, "same", "6");
}

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	char name[16];

	for (uint32_t i = 1; i <= PROCESS_LABELS_PLACES + PROCESS_LABELS_NAMES + 5; i++) {
		(void)snprintf(name, sizeof(name), "p%u", i);
		process_labels_tell(f->labels, i, name, 1, SECOND);
	}
	expect(f->labels, 1, "p1", "1");
	expect(f->labels, 64, "p64", "64");
	assert_int_equal(series_value(f->registry, "sidelight_processes_overflowed_total"), 0);
	expect(f->labels, 65, "p65", "_OTHER");
	expect(f->labels, 80, "p80", "_OTHER");
	expect(f->labels, 81, "_OTHER", "_OTHER");
	expect(f->labels, 85, "_OTHER", "_OTHER");
	assert_int_equal(series_value(f->registry, "sidelight_processes_overflowed_total"), 4);
	/* A new process of a program that is known by name. */
	process_labels_tell(f->labels, 500, "p65", 1, SECOND);
	expect(f->labels, 500, "p65", "_OTHER");
}

static void test_slot_of_another(void **state)
{
	struct process_labels *p = ((struct fixture *)*state)->labels;

	process_labels_tell(p, 7, "first", 1, SECOND);
	process_labels_tell(p, 7 + 1024, "second", 1, SECOND);
	expect(p, 7, "first", "7"); /* its response was long */
	expect(p, 7 + 1024, "second", "1031");
}

static void test_asks_are_bounded(void **state)
{
	struct process_labels *p = ((struct fixture *)*state)->labels;
	unsigned asked = 0;

	for (uint32_t pid = 1; pid <= 1000; pid++)
		asked += process_labels_asks(p, pid, SECOND);
	assert_int_equal(asked, 200);
	assert_true(process_labels_asks(p, 1000, 2 * SECOND));
}

/* All requests are counted, whatever their labels: HTTP and gRPC. */
static void test_total(void **state)
{
	struct fixture *f = *state;
	struct red *red = red_new(f->registry, &(struct red_options){.processes = f->labels});
	struct transaction t = {.role = ROLE_SERVER,
				.known_method = "GET",
				.route = "/a",
				.server_address = "",
				.http = {.version = HTTP_1_1, .status = 200}};

	assert_non_null(red);
	for (uint32_t i = 1; i <= 100; i++) {
		process_labels_tell(f->labels, i, i % 2 ? "odd" : "even", 1, SECOND);
		t.tgid = i;
		red_sink.done(red, &t);
		red_sink.done(red, &t);
	}
	t.tgid = 0;
	red_sink.done(red, &t);
	t.protocol = TXN_GRPC;
	t.known_method = txn_grpc;
	t.tgid = 3;
	red_sink.done(red, &t);
#define COUNTED "http_server_request_duration_seconds_count{"
#define REST                                                                                       \
	"http_request_method=\"GET\",http_route=\"/a\",http_response_status_code=\"200\","         \
	"url_scheme=\"http\",network_protocol_version=\"1.1\"}"
	assert_int_equal(
		series_value(f->registry, COUNTED "process_name=\"odd\",process_pid=\"1\"," REST),
		2);
	assert_int_equal(
		series_value(f->registry, COUNTED "process_name=\"even\",process_pid=\"64\"," REST),
		2);
	assert_int_equal(series_value(f->registry,
				      COUNTED "process_name=\"odd\",process_pid=\"_OTHER\"," REST),
			 36);
	assert_int_equal(series_value(f->registry,
				      COUNTED "process_name=\"even\",process_pid=\"_OTHER\"," REST),
			 36);
	assert_int_equal(series_value(f->registry, COUNTED REST), 1);
	assert_int_equal(series_value(f->registry, "sidelight_processes_overflowed_total"), 72);
	assert_int_equal(
		series_value(f->registry,
			     "rpc_server_call_duration_seconds_count{process_name=\"odd\","
			     "process_pid=\"3\",rpc_system_name=\"grpc\",rpc_method=\"/a\","
			     "rpc_status_code=\"OK\"}"),
		1);
	red_free(red);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slot_of_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asks_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_total, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
