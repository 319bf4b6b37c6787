/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions in, series out: labels, buckets, gauges, by the exposition text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/red.h"
#include "txn/label_values.h"
#include "metrics/text.h"

static const char get[] = "GET";
static const char users[] = "/users/{id}";

static struct transaction served(uint16_t status, uint64_t ns)
{
	return (struct transaction){
		.role = ROLE_SERVER,
		.container = 1,
		.known_method = get,
		.route = users,
		.server_address = "",
		.start_ns = 1000,
		.end_ns = 1000 + ns,
		.request_bytes = 10,
		.response_bytes = 5000,
		.http = {.version = HTTP_1_1, .status = status},
	};
}

struct fixture {
	struct registry *registry;
	struct red *red;
	struct text text;
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(1000);
	f.red = red_new(f.registry, &(struct red_options){.wants_body_sizes = false});
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

static void assert_line(struct fixture *f, const char *line)
{
	text_clear(&f->text);
	text_add_char(&f->text, '\n');
	text_encode(&f->text, f->registry, TEXT_PROMETHEUS, NULL, 0);
	if (!strstr(f->text.ptr, line))
		fail_msg("no line %s in %s", line, f->text.ptr);
}

static void assert_no_line(struct fixture *f, const char *part)
{
	text_clear(&f->text);
	text_encode(&f->text, f->registry, TEXT_PROMETHEUS, NULL, 0);
	if (strstr(f->text.ptr, part))
		fail_msg("unwanted %s in %s", part, f->text.ptr);
}

static void done(struct fixture *f, const struct transaction *t)
{
	red_sink.done(f->red, t);
}

static void test_server(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(200, 500000);

	done(f, &t);
	done(f, &t);
#define OK_LABELS                                                                                  \
	"container=\"app\",http_request_method=\"GET\",http_route=\"/users/{id}\","                \
	"http_response_status_code=\"200\",url_scheme=\"http\",network_protocol_version=\"1.1\""
	assert_line(f, "\nhttp_server_request_duration_seconds_bucket{" OK_LABELS
		       ",le=\"0.0005\"} 2\n");
	assert_line(f, "\nhttp_server_request_duration_seconds_sum{" OK_LABELS "} 0.001\n");
	assert_line(f, "\nhttp_server_request_duration_seconds_count{" OK_LABELS "} 2\n");
	assert_no_line(f, "body_size");
	assert_no_line(f, "error_type");
}

/* The scheme says whether it was decrypted, and the cache knows both. */
static void test_scheme(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		struct transaction t = served(200, 1000);

		t.is_tls = i % 2;
		done(f, &t);
	}
	assert_line(
		f, "status_code=\"200\",url_scheme=\"http\",network_protocol_version=\"1.1\"} 3\n");
	assert_line(
		f,
		"status_code=\"200\",url_scheme=\"https\",network_protocol_version=\"1.1\"} 2\n");
}

/* Every bound, from both sides: the integer and the float lists are one. */
static void test_bounds(void **state)
{
	static const struct {
		uint64_t ns;
		const char *le;
	} rows[] = {
		{500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},
		{10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},  {75000000, "0.075"},
		{100000000, "0.1"},  {250000000, "0.25"}, {500000000, "0.5"},  {750000000, "0.75"},
		{1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},   {7500000000, "7.5"},
		{10000000000, "10"},
	};
	struct fixture *f = *state;
	char line[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct transaction t = served(200, rows[i].ns);

		done(f, &t); /* on the bound */
		(void)snprintf(line, sizeof(line), "le=\"%s\"} %zu\n", rows[i].le, i * 2 + 1);
		assert_line(f, line);
		t.end_ns++; /* and just above it */
		done(f, &t);
		assert_line(f, line);
	}
	assert_line(f, "le=\"+Inf\"} 34\n");
}

static void test_error_types(void **state)
{
	static const struct {
		enum role role;
		uint16_t status;
		enum txn_error error;
		const char *want;
	} rows[] = {
		{ROLE_SERVER, 200, TXN_OK, ""},
		{ROLE_SERVER, 404, TXN_OK, ""}, /* the client's fault, not the server's */
		{ROLE_SERVER, 500, TXN_OK, "500"},
		{ROLE_SERVER, 503, TXN_RESET, "503"},
		{ROLE_SERVER, 200, TXN_RESET, "connection_reset"},
		{ROLE_SERVER, 0, TXN_CLOSED, "connection_closed"},
		{ROLE_CLIENT, 302, TXN_OK, ""},
		{ROLE_CLIENT, 404, TXN_OK, "404"},
		{ROLE_CLIENT, 502, TXN_OK, "502"},
		{ROLE_CLIENT, 0, TXN_MALFORMED, "malformed_response"},
	};
	char buf[8];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct transaction t = served(rows[i].status, 1);

		t.role = rows[i].role;
		t.error = rows[i].error;
		assert_string_equal(red_error_type(&t, buf), rows[i].want);
	}
}

/* The statuses that a server invents leave room for the routes that others use. */
static void test_invented_statuses(void **state)
{
	static const char *const routes[] = {"/a", "/b", "/c"};
	struct fixture *f = *state;
	struct transaction t;
	size_t before;

	red_free(f->red);
	registry_free(f->registry);
	f->registry = registry_new(2000); /* the default of --series-cap */
	f->red = red_new(f->registry, &(struct red_options){.wants_body_sizes = true});
	before = registry_series_count(f->registry);
	for (uint16_t status = 200; status < 1000; status++)
		for (size_t i = 0; i < 3; i++) {
			t = served(status, 1);
			t.route = routes[i];
			done(f, &t);
		}
	/* 59 registered statuses, 16 others, and _OTHER with and without an error_type; of the
	 * duration and two sizes. */
	assert_int_equal(registry_series_count(f->registry) - before, 3 * 3 * (59 + 16 + 2));
	assert_line(f, "\nsidelight_statuses_overflowed_total 2175\n"); /* 3 * (800 - 59 - 16) */
	assert_line(f, "_count{http_request_method=\"GET\",http_route=\"/a\","
		       "http_response_status_code=\"_OTHER\",url_scheme=\"http\","
		       "network_protocol_version=\"1.1\",error_type=\"_OTHER\"} 489\n");
	assert_line(f, "http_response_status_code=\"503\",url_scheme=\"http\","
		       "network_protocol_version=\"1.1\",error_type=\"503\"} 1\n");
	assert_no_line(f, "\"999\"");
	t = served(200, 1);
	t.route = "/honest";
	done(f, &t);
	assert_line(f, "http_route=\"/honest\",http_response_status_code=\"200\"");
	assert_int_equal(registry_overflowed(f->registry), 0);
	/* A probe's status is one, too. */
	t.is_probe = true;
	t.http.status = 999;
	done(f, &t);
	assert_line(f, "\nsidelight_probe_requests_total{http_route=\"/honest\","
		       "http_response_status_code=\"_OTHER\",error_type=\"_OTHER\"} 1\n");
	assert_line(f, "\nsidelight_statuses_overflowed_total 2176\n");
}

/*
 * A stranger multiplies methods, versions, statuses and ends on 40 honest pages, until nothing of
 * his gets a series any more; he also claims to be the kubelet. A route that others use only then
 * has its series, and so has an error that the pages show for the first time.
 */
static void fill_with_strangers(struct fixture *f, enum role role)
{
	static const char *const methods[] = {"GET",	 "HEAD",    "POST",  "PUT",   "DELETE",
					      "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"};
	static const uint16_t statuses[] = {200, 206, 304, 400, 403, 404, 405, 412, 416, 501};
	static const enum txn_error ends[] = {TXN_OK, TXN_CLOSED, TXN_RESET};
	static char pages[40][8];

	for (size_t i = 0; i < 40u * 10 * 10 * 3 * 3; i++) {
		struct transaction t = served(statuses[i / 400 % 10], 1);
		char *page = pages[i % 40];

		(void)snprintf(page, sizeof(pages[0]), "/p%zu", i % 40);
		t.role = role;
		t.route = page;
		t.known_method = methods[i / 40 % 10];
		t.http.version = i / 4000 % 3 ? HTTP_1_1 : HTTP_1_0;
		t.error = ends[i / 12000];
		done(f, &t);
		t.is_probe = true;
		done(f, &t);
	}
}

static void test_strangers_leave_series(void **state)
{
	static const struct {
		const char *method;
		uint16_t status;
		enum txn_error error;
	} honest[] = {
		{"GET", 200, TXN_OK}, {"POST", 201, TXN_OK},   {"DELETE", 204, TXN_OK},
		{"GET", 302, TXN_OK}, {"GET", 404, TXN_OK},    {"POST", 422, TXN_OK},
		{"GET", 503, TXN_OK}, {"GET", 200, TXN_RESET},
	};
	static char routes[12][16];
	struct fixture *f = *state;
	size_t before;

	for (int role = ROLE_SERVER; role <= ROLE_CLIENT; role++) {
		red_free(f->red);
		registry_free(f->registry);
		f->registry = registry_new(2000); /* the default of --series-cap */
		f->red = red_new(f->registry, &(struct red_options){.wants_body_sizes = false});
		fill_with_strangers(f, (enum role)role);
		before = registry_series_count(f->registry);
		assert_in_range(before, 1500, 2000 - 12 * 8);
		assert_true(registry_overflowed(f->registry) > 0);
		for (size_t i = 0; i < 12 * 8; i++) {
			struct transaction t = served(honest[i % 8].status, 1);

			(void)snprintf(routes[i / 8], sizeof(routes[0]), "/honest/%zu", i / 8);
			t.role = (enum role)role;
			t.route = routes[i / 8];
			t.known_method = honest[i % 8].method;
			t.error = honest[i % 8].error;
			done(f, &t);
		}
		assert_int_equal(registry_series_count(f->registry), before + 12 * 8);
		assert_line(f, "_count{http_request_method=\"POST\",http_route=\"/honest/11\","
			       "http_response_status_code=\"201\"");
		assert_line(f, "_count{http_request_method=\"GET\",http_route=\"/honest/11\","
			       "http_response_status_code=\"503\"");
	}
}

static void test_no_status(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(0, 1000000);

	t.error = TXN_CLOSED;
	done(f, &t);
	assert_line(f, "\nhttp_server_request_duration_seconds_count{container=\"app\","
		       "http_request_method=\"GET\",http_route=\"/users/{id}\",url_scheme=\"http\","
		       "network_protocol_version=\"1.1\",error_type=\"connection_closed\"} 1\n");
}

static void test_client(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(404, 1000000);

	t.role = ROLE_CLIENT;
	t.server_address = "db.shop";
	t.server_port = 8080;
	done(f, &t);
	t.server_port = 8081;
	done(f, &t);
#define CLIENT_COUNT                                                                               \
	"\nhttp_client_request_duration_seconds_count{container=\"app\","                          \
	"http_request_method=\"GET\",http_route=\"/users/{id}\",http_response_status_code="        \
	"\"404\",url_scheme=\"http\",network_protocol_version=\"1.1\",error_type=\"404\","         \
	"server_address=\"db.shop\",server_port="
	assert_line(f, CLIENT_COUNT "\"8080\"} 1\n");
	assert_line(f, CLIENT_COUNT "\"8081\"} 1\n");
	/* Ports of hosts that have no label of their own have none either. */
	t.server_address = label_other;
	done(f, &t);
	t.server_port = 8082;
	done(f, &t);
	assert_line(f, ",error_type=\"404\",server_address=\"_OTHER\"} 2\n");
}

/* Whatever differs in labels must not share a cache entry. */
static void test_cache_keeps_apart(void **state)
{
	static char routes[600][16];
	static const char post[] = "POST";
	struct fixture *f = *state;
	struct transaction t;
	char line[256];

	assert_int_equal(red_container(f->red, 2, "proxy"), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 600; i++) {
			(void)snprintf(routes[i], sizeof(routes[i]), "/r%d", i);
			t = served(200, 1);
			t.route = routes[i];
			done(f, &t);
		}
		t = served(200, 1);
		t.known_method = post;
		done(f, &t);
		t.http.version = HTTP_1_0;
		done(f, &t);
		t.container = 2;
		done(f, &t);
		t.http.status = 201;
		done(f, &t);
	}
	for (int i = 0; i < 600; i += 37) {
		(void)snprintf(line, sizeof(line),
			       "http_route=\"/r%d\",http_response_status_code=\"200\",url_scheme="
			       "\"http\",network_protocol_version=\"1.1\"} 3\n",
			       i);
		assert_line(f, line);
	}
	assert_int_equal(registry_series_count(f->registry), 605);
	assert_line(f, "_count{container=\"proxy\",http_request_method=\"POST\",http_route=\"/"
		       "users/{id}\",http_response_status_code=\"201\",url_scheme=\"http\","
		       "network_protocol_version=\"1.0\"} 3\n");
}

static void test_container_names(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(200, 1);
	char name[16];

	done(f, &t);
	assert_int_equal(red_container(f->red, 1, "renamed"), 0);
	done(f, &t);
	assert_line(f, "_count{container=\"app\",");
	assert_line(f, "_count{container=\"renamed\",");
	t.container = 99;
	done(f, &t);
	assert_line(f, "_count{http_request_method=");
	/* More restarts than are remembered: the newest are, and repeated ones. */
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(red_container(f->red, 1000 + (uint64_t)i, name), 0);
		if (i % 50 == 0)
			assert_int_equal(red_container(f->red, 2, "stays"), 0);
	}
	t.container = 2;
	done(f, &t);
	assert_line(f, "_count{container=\"stays\",");
	t.container = 1999;
	done(f, &t);
	assert_line(f, "_count{container=\"c999\",");
	assert_int_equal(red_container(f->red, 1999, NULL), 0);
}

static void test_active(void **state)
{
	static const char post[] = "POST";
	struct fixture *f = *state;
	struct active cells[] = {
		{ROLE_SERVER, 1, get, 2, false, false},
		{ROLE_CLIENT, 1, get, 5, false, false},
		{ROLE_SERVER, 1, post, 3, false, false},
		{ROLE_SERVER, 1, get, 4, true, false},
		{0},
	};

	red_active(f->red, cells, 5);
	assert_line(f, "http_request_method=\"GET\",url_scheme=\"https\"} 4\n");
	assert_line(f, "\nhttp_server_active_requests{container=\"app\",http_request_method="
		       "\"GET\",url_scheme=\"http\"} 2\n");
	assert_line(f, "http_request_method=\"POST\",url_scheme=\"http\"} 3\n");
	cells[0].count = 1;
	/* A cell that went to another role: nobody is counted in the old one's series. */
	cells[2] = (struct active){ROLE_CLIENT, 1, post, 7, false, false};
	red_active(f->red, cells, 5);
	assert_line(f, "http_request_method=\"GET\",url_scheme=\"http\"} 1\n");
	assert_line(f, "http_request_method=\"POST\",url_scheme=\"http\"} 0\n");
}

static void test_probes_are_apart(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(503, 1);

	t.is_probe = true;
	t.route = "/healthz";
	done(f, &t);
	assert_line(f, "\nsidelight_probe_requests_total{container=\"app\",http_route=\"/healthz\","
		       "http_response_status_code=\"503\",error_type=\"503\"} 1\n");
	assert_no_line(f, "duration");
}

static void test_body_sizes(void **state)
{
	struct fixture *f = *state;
	struct transaction t = served(200, 1);

	red_free(f->red);
	registry_free(f->registry);
	f->registry = registry_new(100);
	f->red = red_new(f->registry, &(struct red_options){.wants_body_sizes = true});
	done(f, &t);
	assert_line(f, "http_server_request_body_size_bytes_bucket{http_request_method=\"GET\"");
	assert_line(f, "http_server_response_body_size_bytes_sum{http_request_method=\"GET\"");
	assert_line(f, "le=\"4096\"} 0\n");
	assert_line(f, "le=\"16384\"} 1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_server),
		TEST(test_scheme),
		TEST(test_bounds),
		TEST(test_error_types),
		TEST(test_invented_statuses),
		TEST(test_strangers_leave_series),
		TEST(test_no_status),
		TEST(test_client),
		TEST(test_cache_keeps_apart),
		TEST(test_container_names),
		TEST(test_active),
		TEST(test_probes_are_apart),
		TEST(test_body_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
