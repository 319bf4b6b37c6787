/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that families and labels have in OTLP: what a receiver that writes Prometheus' names
 * makes of them is the name in /metrics, for every family that there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp_names.h"
#include "metrics/control_metrics.h"
#include "metrics/no_requests.h"
#include "metrics/otlp_metrics.h"
#include "metrics/recorder_metrics.h"
#include "metrics/red.h"
#include "metrics/self_metrics.h"
#include "metrics/watch.h"

#define NAMES_MAX 256

struct seen {
	char names[NAMES_MAX][OTLP_NAME_MAX];
	size_t count;
	size_t conventional; /* families of HTTP and RPC */
};

/* By the rules of Prometheus' translator. */
static void to_prometheus(char *out, size_t size, const struct otlp_name *n)
{
	const char *unit = strcmp(n->unit, "s") == 0	? "_seconds"
			   : strcmp(n->unit, "By") == 0 ? "_bytes"
							: "";

	(void)snprintf(out, size, "%s%s%s", n->name, unit, n->kind == OTLP_SUM ? "_total" : "");
	for (; *out; out++)
		if (!isalnum((unsigned char)*out))
			*out = '_';
}

static void check_labels(const struct family_desc *desc)
{
	for (size_t i = 0; i < desc->label_count; i++) {
		const char *label = desc->label_names[i];
		struct otlp_attribute_name a = otlp_attribute_name(label);

		/* What the conventions name has dots. */
		if (strchr(label, '_') && strcmp(a.key, label) == 0)
			fail_msg("%s: the label %s has no name in OTLP", desc->name, label);
	}
}

static void check_family(void *ctx, const struct family_desc *desc,
			 const struct series *const *series, size_t count)
{
	bool is_conventional = strncmp(desc->name, "sidelight_", 10) != 0;
	struct seen *seen = ctx;
	char back[2 * OTLP_NAME_MAX];
	struct otlp_name n;

	(void)series, (void)count;
	otlp_name(desc, &n);
	to_prometheus(back, sizeof(back), &n);
	if (strcmp(back, desc->name) != 0)
		fail_msg("%s becomes %s, and that %s", desc->name, n.name, back);
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->names[i], n.name) == 0)
			fail_msg("two metrics are %s", n.name);
	assert_true(seen->count < NAMES_MAX);
	(void)strcpy(seen->names[seen->count++], n.name);
	assert_true(n.kind == OTLP_HISTOGRAM || desc->type != METRIC_HISTOGRAM);
	if (is_conventional) {
		seen->conventional++;
		if (strchr(n.name, '_') && strcmp(n.name, "http.server.active_requests") != 0)
			fail_msg("%s is not in the table of conventions", desc->name);
	}
	check_labels(desc);
}

static void test_every_family(void **state)
{
	struct registry *r = registry_new(1000);
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = true});
	struct self_metrics *self = self_metrics_new(r);
	struct watch *watch = watch_new(r);
	struct otlp_metrics *otlp = otlp_metrics_new(r);
	struct recorder_metrics *recorder = recorder_metrics_new(r);
	static struct seen seen;

	(void)state;
	assert_non_null(no_requests_family(r));
	assert_true(red && self && watch && otlp && recorder);
	registry_each(r, check_family, &seen);
	assert_int_equal(seen.conventional, 9);
	assert_true(seen.count > 60);
	recorder_metrics_free(recorder);
	otlp_metrics_free(otlp);
	watch_free(watch);
	self_metrics_free(self);
	red_free(red);
	registry_free(r);
}

static void test_rule(void **state)
{
	static const struct {
		const char *name;
		enum metric_type type;
		const char *want;
		const char *unit;
		enum otlp_kind kind;
		bool is_integer;
	} rows[] = {
		{"sidelight_pushes_total", METRIC_COUNTER, "sidelight.pushes", "", OTLP_SUM, true},
		{"sidelight_tcp_bytes_total", METRIC_COUNTER, "sidelight.tcp", "By", OTLP_SUM,
		 true},
		{"sidelight_cpu_seconds_total", METRIC_COUNTER, "sidelight.cpu", "s", OTLP_SUM,
		 false},
		{"sidelight_series", METRIC_GAUGE, "sidelight.series", "", OTLP_GAUGE, true},
		{"sidelight_x_seconds", METRIC_HISTOGRAM, "sidelight.x", "s", OTLP_HISTOGRAM,
		 false},
		{"http_server_active_requests", METRIC_GAUGE, "http.server.active_requests",
		 "{request}", OTLP_UP_DOWN_SUM, true},
		{"http_server_request_body_size_bytes", METRIC_HISTOGRAM,
		 "http.server.request.body.size", "By", OTLP_HISTOGRAM, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct family_desc desc = {.name = rows[i].name, .type = rows[i].type};
		struct otlp_name n;

		otlp_name(&desc, &n);
		assert_string_equal(n.name, rows[i].want);
		assert_string_equal(n.unit, rows[i].unit);
		assert_int_equal(n.kind, rows[i].kind);
		assert_int_equal(n.is_integer, rows[i].is_integer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_family),
		cmocka_unit_test(test_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
