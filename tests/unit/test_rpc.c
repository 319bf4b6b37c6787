/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of gRPC in, series out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/red.h"
#include "metrics/text.h"
#include "proto/grpc.h"

static const char method[] = "pkg.S/M";

static struct transaction call(enum role role, unsigned status, enum txn_error error)
{
	return (struct transaction){
		.protocol = TXN_GRPC,
		.role = role,
		.container = 1,
		.known_method = txn_grpc,
		.route = method,
		.server_address = role == ROLE_CLIENT ? "db" : "",
		.server_port = role == ROLE_CLIENT ? 50051 : 0,
		.error = error,
		.start_ns = 1000,
		.end_ns = 3000000,
		.grpc = {.http = {.version = HTTP_2, .status = 200, .stream = 1},
			 .status = (uint16_t)status,
			 .messages = {1, 3}},
	};
}

/* The sample lines that begin with `name`, without buckets. */
static void expect(struct registry *r, const char *name, const char *want)
{
	struct text all;
	struct text got;
	char *save;

	text_init(&all);
	text_init(&got);
	text_encode(&all, r, TEXT_PROMETHEUS, NULL, 0);
	for (char *l = strtok_r(all.ptr, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (strncmp(l, name, strlen(name)) == 0)
			text_addf(&got, "%s\n", l + strlen(name));
	assert_string_equal(got.ptr, want);
	text_release(&all);
	text_release(&got);
}

/* A line behind the family's name: with labels between the status and the value. */
#define LINE(status, more, value)                                                                  \
	"{container=\"app\",rpc_system_name=\"grpc\",rpc_method=\"pkg.S/M\","                      \
	"rpc_status_code=\"" status "\"" more "} " value "\n"
#define ERROR(type)  ",error_type=\"" type "\""
#define PEER	     ",server_address=\"db\",server_port=\"50051\""
#define SERIES(role) "{container=\"app\",role=\"" role "\",rpc_method=\"pkg.S/M\"} "

static const char served[] = LINE("OK", "", "2") LINE("NOT_FOUND", "", "1")
	LINE("INTERNAL", ERROR("INTERNAL"), "1") LINE("UNAVAILABLE", ERROR("connection_reset"), "1")
		LINE("42", "", "1") LINE("unknown", "", "1");
static const char made[] =
	LINE("NOT_FOUND", ERROR("NOT_FOUND") PEER, "1") LINE("unknown", PEER, "3");
static const char messages[] = "sidelight_rpc_messages_total{container=\"app\",role=\"server\","
			       "rpc_method=\"pkg.S/M\",direction=";

static void test_calls(void **state)
{
	static const struct {
		enum role role;
		unsigned status;
		enum txn_error error;
	} calls[] = {
		{ROLE_SERVER, GRPC_OK, TXN_OK},
		{ROLE_SERVER, GRPC_OK, TXN_OK},
		{ROLE_SERVER, 5, TXN_OK},
		{ROLE_SERVER, GRPC_INTERNAL, TXN_STREAM_RESET},
		{ROLE_SERVER, GRPC_UNAVAILABLE, TXN_RESET},
		{ROLE_SERVER, 42, TXN_OK},
		{ROLE_SERVER, GRPC_STATUS_HIDDEN, TXN_OK},
		{ROLE_CLIENT, 5, TXN_OK},
		{ROLE_CLIENT, GRPC_STATUS_HIDDEN, TXN_OK},
	};
	struct registry *r = registry_new(1000);
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = true});
	struct transaction t;

	(void)state;
	assert_int_equal(red_container(red, 1, "app"), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		t = call(calls[i].role, calls[i].status, calls[i].error);
		red_sink.done(red, &t);
	}
	t.grpc.has_uncounted = true;
	t.grpc.timeout_ns = 1;
	red_sink.done(red, &t);
	red_sink.done(red, &t);
	expect(r, "rpc_server_call_duration_seconds_count", served);
	expect(r, "rpc_client_call_duration_seconds_count", made);
	expect(r, messages, "\"request\"} 7\n\"response\"} 21\n");
	expect(r, "sidelight_rpc_calls_with_timeout_total", SERIES("client") "2\n");
	expect(r, "sidelight_rpc_messages_uncounted_total", SERIES("client") "2\n");
	/* It is in no metric of HTTP. */
	expect(r, "http_server_request_duration_seconds_count", "");
	red_free(red);
	registry_free(r);
}

/* The codes that a server invents leave room for the methods that others call. */
static void test_invented_statuses(void **state)
{
	struct registry *r = registry_new(2000); /* the default of --series-cap */
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = false});
	struct transaction t;
	size_t before = registry_series_count(r);

	(void)state;
	for (int role = ROLE_SERVER; role <= ROLE_CLIENT; role++)
		for (unsigned status = 0; status < 2500; status++) {
			t = call((enum role)role, status, TXN_OK);
			t.grpc.timeout_ns = 1;
			red_sink.done(red, &t);
		}
	/* Statuses of both directions; messages of both; and calls with a timeout. */
	assert_int_equal(registry_series_count(r) - before, 2 * (17 + 16 + 1) + 2 * 2 + 2);
	expect(r, "sidelight_statuses_overflowed_total", " 4934\n"); /* 2 * (2500 - 17 - 16) */
	expect(r,
	       "rpc_client_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method="
	       "\"pkg.S/M\",rpc_status_code=\"_OTHER\"",
	       ",error_type=\"_OTHER\",server_address=\"db\",server_port=\"50051\"} 2467\n");
	expect(r,
	       "rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method="
	       "\"pkg.S/M\",rpc_status_code=\"_OTHER\"",
	       "} 2467\n");
	expect(r, "sidelight_rpc_calls_with_timeout_total",
	       "{role=\"server\",rpc_method=\"pkg.S/M\"} "
	       "2500\n{role=\"client\",rpc_method=\"pkg.S/M\"} 2500\n");
	assert_int_equal(registry_overflowed(r), 0);
	red_free(red);
	registry_free(r);
}

/*
 * Strangers call 40 methods in all ways that a status and an end allow; a method that others call
 * only then has its series.
 */
static void test_strangers_leave_series(void **state)
{
	static char methods[41][16];
	struct registry *r = registry_new(2000); /* the default of --series-cap */
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = false});
	struct transaction t;
	size_t before;

	(void)state;
	for (size_t i = 0; i < 41; i++)
		(void)snprintf(methods[i], sizeof(methods[i]), "pkg.S/M%zu", i);
	for (unsigned i = 0; i < 40u * 33 * 3; i++) {
		t = call(ROLE_SERVER, i / 40 % 33, (enum txn_error)(TXN_OK + i / 1320));
		t.route = methods[i % 40];
		red_sink.done(red, &t);
	}
	before = registry_series_count(r);
	assert_in_range(before, 1500, 1990);
	assert_true(registry_overflowed(r) > 0);
	for (unsigned status = GRPC_OK; status < 4; status++) {
		t = call(ROLE_SERVER, status, TXN_OK);
		t.route = methods[40];
		red_sink.done(red, &t);
	}
	assert_int_equal(registry_series_count(r), before + 4 + 2); /* 2 of messages */
	expect(r,
	       "rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method="
	       "\"pkg.S/M40\",rpc_status_code=\"OK\"",
	       "} 1\n");
	red_free(red);
	registry_free(r);
}

static void test_open(void **state)
{
	const struct active cells[] = {
		{ROLE_SERVER, 1, method, 4, false, true},
		{ROLE_CLIENT, 1, method, 2, false, true},
		{ROLE_SERVER, 1, "GET", 9, false, false},
	};
	struct registry *r = registry_new(1000);
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = false});

	(void)state;
	red_active(red, cells, 3);
	red_active(red, cells, 3);
	expect(r, "sidelight_rpc_open_calls",
	       "{role=\"server\",rpc_method=\"pkg.S/M\"} "
	       "4\n{role=\"client\",rpc_method=\"pkg.S/M\"} 2\n");
	expect(r, "http_server_active_requests",
	       "{http_request_method=\"GET\",url_scheme=\"http\"} 9\n");
	red_active(red, cells, 0);
	expect(r, "sidelight_rpc_open_calls",
	       "{role=\"server\",rpc_method=\"pkg.S/M\"} "
	       "0\n{role=\"client\",rpc_method=\"pkg.S/M\"} 0\n");
	red_free(red);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_invented_statuses),
		cmocka_unit_test(test_strangers_leave_series),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
