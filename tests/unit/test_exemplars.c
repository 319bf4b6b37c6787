/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars: one for each bucket and interval, of sampled requests only, in OpenMetrics and OTLP
 * and not in the text that a gateway takes; what they take is bounded, and what is refused is
 * counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "export/otlp_encode.h"
#include "metrics/exemplars.h"
#include "metrics/red.h"
#include "metrics/text.h"
#include "proto/grpc.h"

#define MS  UINT64_C(1000000)
#define DAY UINT64_C(1700000000000000000)

static const char *const labels[] = {"route"};
static const double bounds[] = {.0005};

struct fixture {
	struct registry *registry;
	struct exemplars *exemplars;
	struct red *red;
	struct text text;
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(5000);
	f.exemplars = exemplars_new(f.registry);
	exemplars_set_clock(f.exemplars, (int64_t)DAY);
	f.red = red_new(f.registry, &(struct red_options){.exemplars = f.exemplars});
	text_init(&f.text);
	*state = &f;
	return f.red ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	red_free(f->red);
	exemplars_free(f->exemplars);
	registry_free(f->registry);
	text_release(&f->text);
	return 0;
}

/* A request that ended at end_ms after so long; its span's last byte is `span`. */
static void done(struct fixture *f, uint64_t end_ms, uint64_t ms, uint8_t span, bool is_sampled)
{
	const struct trace_context trace = {
		.trace_id = {0xab}, .span_id = {[7] = span}, .is_sampled = is_sampled};
	const struct transaction t = {.role = ROLE_SERVER,
				      .known_method = "GET",
				      .route = "/a",
				      .server_address = "",
				      .trace = span ? &trace : NULL,
				      .start_ns = (end_ms - ms) * MS,
				      .end_ns = end_ms * MS,
				      .http = {.version = HTTP_1_1, .status = 200}};

	red_exemplars_sink.done(f->red, &t);
}

static const char *page(struct fixture *f, enum text_format format)
{
	text_clear(&f->text);
	text_encode(&f->text, f->registry, format, NULL, 0);
	return f->text.ptr;
}

static size_t count_of(const char *in, const char *what)
{
	size_t n = 0;

	while ((in = strstr(in, what))) {
		n++;
		in++;
	}
	return n;
}

#define TRACE	"trace_id=\"ab000000000000000000000000000000\""
#define SPAN(n) "span_id=\"00000000000000" n "\""

static void test_openmetrics(void **state)
{
	struct fixture *f = *state;
	const char *text;

	done(f, 1000, 3, 0x11, true);
	done(f, 1002, 4, 0x12, true); /* the same bucket, the same interval */
	done(f, 1003, 3, 0x13, false);
	done(f, 1004, 3, 0, true);
	done(f, 22250, 20000, 0x14, true); /* above all bounds */
	text = page(f, TEXT_OPENMETRICS);
	assert_non_null(strstr(text,
			       "le=\"0.005\"} 4 # {" TRACE "," SPAN("11") "} 0.003 "
									  "1700000001.000\n"));
	assert_non_null(strstr(text, "le=\"+Inf\"} 5 # {" TRACE "," SPAN("14") "} 20 "
									       "1700000022.250\n"));
	assert_int_equal(count_of(text, " # {"), 2);
	assert_non_null(strstr(text, "sidelight_exemplars_total{result=\"stored\"} 2\n"));
	assert_null(strstr(page(f, TEXT_PROMETHEUS), "trace_id"));
}

static void test_interval(void **state)
{
	struct fixture *f = *state;

	done(f, 1000, 3, 0x11, true);
	done(f, 5999, 3, 0x12, true);
	assert_non_null(strstr(page(f, TEXT_OPENMETRICS), SPAN("11")));
	done(f, 6000, 3, 0x13, true);
	assert_non_null(strstr(page(f, TEXT_OPENMETRICS), SPAN("13")));
	/* A clock that is set back stops nothing. */
	exemplars_set_clock(f->exemplars, (int64_t)(DAY - 3600000 * MS));
	done(f, 6001, 3, 0x15, true);
	assert_non_null(strstr(page(f, TEXT_OPENMETRICS), SPAN("15")));
	assert_int_equal(count_of(f->text.ptr, " # {"), 1);
}

static void test_calls_of_grpc(void **state)
{
	const struct trace_context trace = {.trace_id = {0xab}, .span_id = {1}, .is_sampled = true};
	const struct transaction t = {.protocol = TXN_GRPC,
				      .role = ROLE_CLIENT,
				      .known_method = txn_grpc,
				      .route = "p.S/M",
				      .server_address = "",
				      .trace = &trace,
				      .end_ns = MS,
				      .grpc = {.http = {.version = HTTP_2}, .status = GRPC_OK}};
	struct fixture *f = *state;

	red_exemplars_sink.done(f->red, &t);
	page(f, TEXT_OPENMETRICS);
	assert_non_null(strstr(f->text.ptr, "rpc_client_call_duration_seconds_bucket{"));
	assert_int_equal(count_of(f->text.ptr, " # {" TRACE), 1);
}

static bool append(void *ctx, struct span part)
{
	text_add_span(ctx, part);
	return true;
}

/* The bytes of an exemplar's span, with its tag and length. */
static size_t spans_in(struct fixture *f, uint64_t since_ns)
{
	static const struct otlp_resource resource = {.container_key = "c", .instance = "i"};
	static const char span[] = "\x22\x08\0\0\0\0\0\0\0\x11";
	const char *found;
	size_t n = 0;

	text_clear(&f->text);
	assert_true(
		otlp_encode(f->registry, &resource, DAY + 9000 * MS, since_ns, append, &f->text));
	for (const char *at = f->text.ptr;
	     (found = memmem(at, (size_t)(f->text.ptr + f->text.len - at), span, sizeof(span) - 1));
	     at = found + 1)
		n++;
	return n;
}

/* By OTLP, each is sent once. */
static void test_otlp(void **state)
{
	struct fixture *f = *state;

	done(f, 1000, 3, 0x11, true);
	done(f, 1000, 30, 0x11, true);
	assert_int_equal(spans_in(f, 0), 2);
	assert_int_equal(spans_in(f, DAY + 999 * MS), 2);
	assert_int_equal(spans_in(f, DAY + 1000 * MS), 0);
	done(f, 7000, 30, 0x11, true);
	assert_int_equal(spans_in(f, DAY + 1000 * MS), 1);
}

static void test_cap(void **state)
{
	static const struct family_desc desc = {.name = "x_seconds",
						.help = "Help.",
						.type = METRIC_HISTOGRAM,
						.label_names = labels,
						.label_count = 1,
						.bounds = bounds,
						.bound_count = 1};
	const struct trace_context trace = {.trace_id = {1}, .span_id = {1}, .is_sampled = true};
	const struct transaction t = {.trace = &trace, .end_ns = MS};
	struct fixture *f = *state;
	struct family *family = registry_family(f->registry, &desc);

	for (int i = 0; i < EXEMPLARS_HISTOGRAMS_MAX + 3; i++) {
		char route[16];
		const char *value = route;

		(void)snprintf(route, sizeof(route), "/%d", i);
		exemplars_observe(f->exemplars, family_series(family, &value)->histogram, 0, &t);
	}
	page(f, TEXT_OPENMETRICS);
	assert_int_equal(count_of(f->text.ptr, " # {"), EXEMPLARS_HISTOGRAMS_MAX);
	assert_non_null(strstr(f->text.ptr, "{result=\"histogram_cap\"} 3\n"));
	assert_non_null(strstr(f->text.ptr, "{result=\"stored\"} 256\n"));
}

static void test_off(void **state)
{
	const struct trace_context trace = {.trace_id = {1}, .span_id = {1}, .is_sampled = true};
	const struct transaction t = {.trace = &trace, .end_ns = MS};
	struct histogram h = {0};

	(void)state;
	exemplars_observe(NULL, &h, 0, &t);
	assert_null(h.exemplars);
	assert_int_equal(red_sink.needs, 0);
	assert_int_equal(red_exemplars_sink.needs, TXN_NEED_TRACE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_openmetrics), TEST(test_interval), TEST(test_calls_of_grpc),
		TEST(test_otlp),	TEST(test_cap),	     cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
