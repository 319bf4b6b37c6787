/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as OTLP: lengths agree with what follows them at every level, whatever is in the
 * registry; an encoder that cannot go on says so. What the numbers are, a decoder that is not
 * ours checks (tests/e2e/test_otlp.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp_answer.h"
#include "export/otlp_encode.h"

static const char *const names[] = {"container", "route", "http_response_status_code"};
static const double bounds[] = {.1, 1};
static const struct family_desc seconds = {.name = "sidelight_x_seconds",
					   .help = "Help.",
					   .type = METRIC_HISTOGRAM,
					   .label_names = names,
					   .label_count = 3,
					   .bounds = bounds,
					   .bound_count = 2};
static const struct family_desc total = {.name = "sidelight_y_total",
					 .help = "Help.",
					 .type = METRIC_COUNTER,
					 .label_names = names,
					 .label_count = 2};
static const struct family_desc empty = {.name = "sidelight_empty_total",
					 .help = "Never.",
					 .type = METRIC_COUNTER,
					 .label_names = names,
					 .label_count = 1};
static const struct family_desc gauge = {
	.name = "sidelight_z", .help = "Help.", .type = METRIC_GAUGE};

static const struct otlp_resource resource = {.container_key = "k8s.container.name",
					      .instance = "ns.pod"};

static bool append(void *ctx, struct span part)
{
	text_add_span(ctx, part);
	return true;
}

static bool refuse(void *ctx, struct span part)
{
	size_t *left = ctx;

	(void)part;
	return (*left)-- > 0;
}

/* Reads a field; only what the encoder writes is known. Returns its bytes, empty for a number. */
static struct span field(struct span *rest, unsigned *ret_number)
{
	const unsigned char *p = (const unsigned char *)rest->ptr;
	uint64_t len = 0;
	size_t at = 1;
	unsigned shift = 0;
	struct span bytes = {"", 0};

	assert_true(rest->len > 1);
	*ret_number = p[0] >> 3;
	switch (p[0] & 7) {
	case 1:
		assert_true(rest->len >= 9);
		*rest = span_from(*rest, 9);
		return bytes;
	case 0:
	case 2:
		for (;; shift += 7) {
			assert_true(at < rest->len && shift < 64);
			len |= (uint64_t)(p[at] & 0x7f) << shift;
			if (p[at++] < 0x80)
				break;
		}
		*rest = span_from(*rest, at);
		if ((p[0] & 7) == 0)
			return bytes;
		assert_true(len <= rest->len);
		bytes = (struct span){rest->ptr, len};
		*rest = span_from(*rest, len);
		return bytes;
	default:
		fail_msg("wire type %d", p[0] & 7);
	}
	return bytes;
}

struct counts {
	size_t resources;
	size_t metrics;
	size_t points;
};

static void count_metric(struct span metric, struct counts *c)
{
	unsigned number;

	c->metrics++;
	while (metric.len) {
		struct span data = field(&metric, &number);

		while (number >= 5 && data.len) {
			unsigned inner;

			(void)field(&data, &inner);
			c->points += inner == 1;
		}
	}
}

static struct counts count(struct span request)
{
	struct counts c = {0};
	unsigned number;

	while (request.len) {
		struct span one = field(&request, &number);

		assert_int_equal(number, 1);
		c.resources++;
		while (one.len) {
			struct span scope = field(&one, &number);

			while (number == 2 && scope.len) {
				unsigned inner;
				struct span metric = field(&scope, &inner);

				if (inner == 2)
					count_metric(metric, &c);
			}
		}
	}
	return c;
}

/* So many series of each family in so many containers, with values of all lengths. */
static struct registry *make(unsigned containers, unsigned routes)
{
	struct registry *r = registry_new(100000);
	struct family *f[] = {registry_family(r, &seconds), registry_family(r, &total),
			      registry_family(r, &gauge), registry_family(r, &empty)};
	char long_value[400];

	memset(long_value, 'x', sizeof(long_value));
	for (unsigned c = 0; c < containers; c++) {
		for (unsigned i = 0; i < routes; i++) {
			char container[16];
			const char *values[] = {container, long_value, i % 2 ? "200" : "_OTHER"};

			(void)snprintf(container, sizeof(container), c ? "c%u" : "", c);
			long_value[i % sizeof(long_value)] = '\0';
			series_observe(f[0], family_series(f[0], values), i * .1);
			series_add(family_series(f[1], values), i);
			long_value[i % sizeof(long_value)] = 'x';
		}
	}
	family_set(f[2], -1.5);
	return r;
}

static void test_lengths(void **state)
{
	(void)state;
	for (unsigned containers = 0; containers < 20; containers += 3) {
		for (unsigned routes = 1; routes < 400; routes *= 3) {
			struct registry *r = make(containers, routes);
			struct text out;
			struct counts c;

			text_init(&out);
			assert_true(otlp_encode(r, &resource, 5, 0, append, &out));
			c = count(text_span(&out));
			assert_int_equal(c.resources, containers ? containers : 1);
			assert_int_equal(c.metrics, 2 * containers + 1);
			assert_int_equal(c.points, registry_series_count(r));
			text_release(&out);
			registry_free(r);
		}
	}
}

static void test_odd_values(void **state)
{
	static const double values[] = {0, -0.0, NAN, INFINITY, -INFINITY, 1e300, -1e300, 0x1p53};
	struct registry *r = registry_new(10);
	struct family *f = registry_family(r, &gauge);
	struct text out;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		text_clear(&out);
		family_set(f, values[i]);
		assert_true(otlp_encode(r, &resource, 5, 0, append, &out));
		assert_int_equal(count(text_span(&out)).points, 1);
	}
	text_release(&out);
	registry_free(r);
}

static void test_nothing(void **state)
{
	struct registry *r = registry_new(10);
	struct text out;

	(void)state;
	text_init(&out);
	assert_non_null(registry_family(r, &empty));
	assert_true(otlp_encode(r, &resource, 5, 0, append, &out));
	assert_int_equal(out.len, 0);
	text_release(&out);
	registry_free(r);
}

static void test_stopped(void **state)
{
	struct registry *r = make(2, 300);
	size_t left = 3;

	(void)state;
	assert_false(otlp_encode(r, &resource, 5, 0, refuse, &left));
	registry_free(r);
}

static void test_answers(void **state)
{
	static const struct {
		const char *why;
		struct span body;
		bool is_valid;
		uint64_t rejected;
		const char *message;
	} rows[] = {
		{"nothing: all was taken", {"", 0}, true, 0, ""},
		{"an empty partial success is none", {"\x0a\x00", 2}, true, 0, ""},
		{"points, and why", {"\x0a\x06\x08\x05\x12\x02no", 8}, true, 5, "no"},
		{"what is not printable", {"\x0a\x05\x12\x03\n\xff\x07", 7}, true, 0, "???"},
		{"the last of two counts", {"\x0a\x04\x08\x05\x08\x06", 6}, true, 6, ""},
		{"fewer than no points",
		 {"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13},
		 true,
		 0,
		 ""},
		{"a field of tomorrow", {"\x18\x01\x0a\x02\x08\x01", 6}, true, 1, ""},
		{"cut off", {"\x0a\x06\x08\x05\x12", 5}, false, 0, ""},
		{"text", {"Internal Server Error", 21}, false, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct otlp_answer a = {0};

		if (otlp_answer_read(rows[i].body, &a) != rows[i].is_valid ||
		    a.rejected_points != rows[i].rejected ||
		    strcmp(a.message, rows[i].message) != 0)
			fail_msg("%s: %zu, %s", rows[i].why, (size_t)a.rejected_points, a.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
