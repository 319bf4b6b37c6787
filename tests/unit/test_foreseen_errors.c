/* SPDX-License-Identifier: Apache-2.0 */
/* The series of the first error of a route are there, and zero, before it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "metrics/red.h"
#include "metrics/text.h"
#include "proto/grpc.h"
#include "txn/label_values.h"

#define SERIES_CAP 40

struct fixture {
	struct registry *registry;
	struct red *red;
	struct transaction request; /* of GET /users/{id} */
	struct text text;
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(SERIES_CAP);
	f.red = red_new(f.registry, &(struct red_options){.foresees_errors = true});
	f.request = (struct transaction){.role = ROLE_SERVER,
					 .container = 1,
					 .known_method = "GET",
					 .route = "/users/{id}",
					 .server_address = "",
					 .http = {.version = HTTP_1_1}};
	text_init(&f.text);
	*state = &f;
	return f.red ? red_container(f.red, 1, "app") : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	red_free(f->red);
	registry_free(f->registry);
	text_release(&f->text);
	return 0;
}

/* How many series are new after a request of this status. */
static size_t made_by(struct fixture *f, uint16_t status)
{
	size_t before = registry_series_count(f->registry);

	f->request.http.status = status;
	red_sink.done(f->red, &f->request);
	return registry_series_count(f->registry) - before;
}

static void assert_line(struct fixture *f, const char *line)
{
	text_clear(&f->text);
	text_encode(&f->text, f->registry, TEXT_PROMETHEUS, NULL, 0);
	if (!strstr(f->text.ptr, line))
		fail_msg("no line %s in %s", line, f->text.ptr);
}

#define COUNT(status, value)                                                                       \
	"http_server_request_duration_seconds_count{container=\"app\","                            \
	"http_request_method=\"GET\",http_route=\"/users/{id}\","                                  \
	"http_response_status_code=\"" status "\",url_scheme=\"http\","                            \
	"network_protocol_version=\"1.1\",error_type=\"" status "\"} " value "\n"

static void test_of_a_route_that_is_served(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(made_by(f, 404), 1);
	assert_int_equal(made_by(f, 503), 1);
	assert_int_equal(made_by(f, 200), 2);
	assert_int_equal(made_by(f, 200), 0);
	assert_int_equal(made_by(f, 304), 1);
	assert_line(f, COUNT("500", "0"));
	assert_int_equal(made_by(f, 500), 0);
	assert_line(f, COUNT("500", "1"));
}

static void test_of_health_checks(void **state)
{
	struct fixture *f = *state;

	f->request.is_probe = true;
	assert_int_equal(made_by(f, 200), 2);
	assert_line(f, "sidelight_probe_requests_total{container=\"app\","
		       "http_route=\"/users/{id}\",http_response_status_code=\"503\","
		       "error_type=\"503\"} 0\n");
	assert_int_equal(made_by(f, 503), 0);
}

static void test_of_grpc(void **state)
{
	struct fixture *f = *state;

	f->request.protocol = TXN_GRPC;
	f->request.known_method = txn_grpc;
	f->request.route = "shop.Cart/Add";
	f->request.grpc.status = GRPC_OK;
	assert_int_equal(made_by(f, 0), 2 + 2); /* and its messages, by direction */
	assert_line(f, "rpc_server_call_duration_seconds_count{container=\"app\","
		       "rpc_system_name=\"grpc\",rpc_method=\"shop.Cart/Add\","
		       "rpc_status_code=\"UNKNOWN\",error_type=\"UNKNOWN\"} 0\n");
}

/* A stranger cannot have them made for what is not served, and they take no place of others. */
static void test_bounds(void **state)
{
	struct fixture *f = *state;

	f->request.route = label_other;
	assert_int_equal(made_by(f, 200), 1);
	f->request.route = txn_unknown;
	assert_int_equal(made_by(f, 200), 1);
	f->request.route = "/more";
	for (uint16_t status = 300; registry_has_room(f->registry); status++)
		(void)made_by(f, status);
	f->request.route = "/last";
	assert_int_equal(made_by(f, 200), 1);
	assert_int_equal(registry_overflowed(f->registry), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_of_a_route_that_is_served),
					   TEST(test_of_health_checks), TEST(test_of_grpc),
					   TEST(test_bounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
