/* SPDX-License-Identifier: Apache-2.0 */
/* Where exports by OTLP go and how, as flags and variables say it; and who they are from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/resource.h"
#include "cmd/options.h"

#define ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT="
#define METRICS	 "OTEL_EXPORTER_OTLP_METRICS_"
#define ALL	 "OTEL_EXPORTER_OTLP_"

static int parse(struct options *o, const char *const *args, const char *const *env,
		 struct text *error)
{
	char *argv[16] = {(char *)"sidelight", (char *)"run"};
	char *environ[16] = {NULL};
	int argc = 2;

	for (; *args; args++)
		argv[argc++] = (char *)*args;
	for (size_t i = 0; env[i]; i++)
		environ[i] = (char *)env[i];
	text_init(error);
	return options_parse(o, argc, argv, environ, error);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *why;
		const char *args[4];
		const char *env[6];
		const char *want; /* NULL: nothing is exported */
		bool is_base;
		const char *problem; /* the variable */
	} rows[] = {
		{"nothing is said", {NULL}, {NULL}, NULL, true, NULL},
		{"a flag",
		 {"--otlp", "http://a"},
		 {"SIDELIGHT_OTLP=http://b"},
		 "http://a",
		 true,
		 NULL},
		{"ours before the others'",
		 {NULL},
		 {"SIDELIGHT_OTLP=http://b", ENDPOINT "http://c"},
		 "http://b",
		 true,
		 NULL},
		{"the others'", {NULL}, {ENDPOINT "http://c"}, "http://c", true, NULL},
		{"that of metrics is used as it is",
		 {NULL},
		 {ENDPOINT "http://c", METRICS "ENDPOINT=http://d/x"},
		 "http://d/x",
		 false,
		 NULL},
		{"an empty one is not set",
		 {NULL},
		 {METRICS "ENDPOINT=", ENDPOINT "http://c"},
		 "http://c",
		 true,
		 NULL},
		{"gRPC",
		 {NULL},
		 {ENDPOINT "http://c", ALL "PROTOCOL=grpc"},
		 NULL,
		 true,
		 ALL "PROTOCOL"},
		{"JSON, for metrics only",
		 {NULL},
		 {ENDPOINT "http://c", ALL "PROTOCOL=http/protobuf", METRICS "PROTOCOL=http/json"},
		 NULL,
		 true,
		 METRICS "PROTOCOL"},
		{"the protocol is that of their endpoint, not of ours",
		 {"--otlp", "http://a"},
		 {ENDPOINT "http://c", ALL "PROTOCOL=grpc"},
		 "http://a",
		 true,
		 NULL},
		{"no URL", {NULL}, {ENDPOINT "c:4317"}, NULL, true, ALL "ENDPOINT"},
		{"ours is no URL: theirs is not asked",
		 {NULL},
		 {"SIDELIGHT_OTLP=b:1", ENDPOINT "http://c"},
		 NULL,
		 true,
		 NULL},
		{"somebody wants no metrics",
		 {NULL},
		 {ENDPOINT "http://c", "OTEL_METRICS_EXPORTER=none"},
		 NULL,
		 true,
		 NULL},
		{"somebody wants them by OTLP, too",
		 {NULL},
		 {ENDPOINT "http://c", "OTEL_METRICS_EXPORTER=console,otlp"},
		 "http://c",
		 true,
		 NULL},
		{"switched off",
		 {NULL},
		 {ENDPOINT "http://c", "OTEL_SDK_DISABLED=True"},
		 NULL,
		 true,
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;
		int err = parse(&o, rows[i].args, rows[i].env, &error);
		const char *problem =
			o.otel.problem_count ? o.otel.problems[0].variable : "nothing";

		if (err || !o.otlp != !rows[i].want || (o.otlp && strcmp(o.otlp, rows[i].want)) ||
		    (o.otlp && o.is_otlp_base != rows[i].is_base) ||
		    strcmp(problem, rows[i].problem ? rows[i].problem : "nothing") != 0 ||
		    o.otel.is_refused != !!rows[i].problem)
			fail_msg("%s: %s (%s)", rows[i].why, o.otlp ? o.otlp : "none", problem);
		text_release(&error);
	}
}

static void test_the_rest(void **state)
{
	static const char *const args[] = {"--otlp-interval=30", "--otlp-ca", "mine", NULL};
	static const char *const env[] = {"OTEL_METRIC_EXPORT_INTERVAL=5000",
					  ALL "TIMEOUT=7000",
					  METRICS "HEADERS=a=1",
					  ALL "HEADERS=b=2",
					  ALL "CERTIFICATE=ca",
					  ALL "CLIENT_CERTIFICATE=c",
					  ALL "CLIENT_KEY=k",
					  ALL "COMPRESSION=none",
					  "OTEL_SERVICE_NAME=s",
					  "OTEL_RESOURCE_ATTRIBUTES=x=y",
					  NULL};
	static const char *const none[] = {NULL};
	static const char *const wrong[] = {"OTEL_METRIC_EXPORT_INTERVAL=soon", ALL "TIMEOUT=1",
					    ALL "CLIENT_KEY=k", NULL};
	struct options o;
	struct text error;

	(void)state;
	assert_int_equal(parse(&o, args, env, &error), 0);
	assert_int_equal(o.otlp_interval_ms, 30000);
	assert_int_equal(o.otlp_timeout_ms, 7000);
	assert_string_equal(o.otel.headers, "a=1");
	assert_string_equal(o.otlp_ca, "mine");
	assert_string_equal(o.otlp_cert, "c");
	assert_string_equal(o.otlp_key, "k");
	assert_true(o.otel.is_plain);
	assert_string_equal(o.otel.service_name, "s");
	assert_string_equal(o.otel.resource_attributes, "x=y");
	text_release(&error);

	assert_int_equal(parse(&o, none, wrong, &error), 0);
	assert_int_equal(o.otlp_interval_ms, 15000);
	assert_int_equal(o.otlp_timeout_ms, 10000);
	assert_null(o.otlp_key);
	assert_int_equal(o.otel.problem_count, 3);
	text_release(&error);
}

static void test_bad_flags(void **state)
{
	static const struct {
		const char *args[4];
		const char *want;
	} rows[] = {
		{{"--otlp", "a:4318"}, "--otlp: not a URL"},
		{{"--otlp", "http://a?x=1"}, "--otlp: not a URL"},
		{{"--otlp-cert", "c"}, "--otlp-cert and --otlp-key go together"},
	};
	static const char *const env[] = {NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;

		assert_int_equal(parse(&o, rows[i].args, env, &error), -EINVAL);
		if (!strstr(error.ptr, rows[i].want))
			fail_msg("%s", error.ptr);
		text_release(&error);
	}
}

static const char *attribute(const struct resource *r, const char *key)
{
	const char *found = NULL;

	for (size_t i = 0; i < r->otlp.attribute_count; i++) {
		if (strcmp(r->attributes[i].key, key) != 0)
			continue;
		assert_null(found); /* no key is there twice */
		found = r->attributes[i].value;
	}
	return found ? found : "";
}

static void test_resource_of_a_pod(void **state)
{
	char podinfo[] = "/tmp/sidelight-test-XXXXXX";
	char path[64];
	struct resource r;
	struct labels labels;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(podinfo));
	(void)snprintf(path, sizeof(path), "%s/labels", podinfo);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "app.kubernetes.io/name=\"web\"\njob-name=\"report-28934561\"\n");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(
		labels_init(&labels,
			    &(struct label_options){.namespace = "prod",
						    .pod = "report-28934561-q9w8e",
						    .node = "n1",
						    .podinfo = podinfo,
						    .pod_labels = "app.kubernetes.io/name"}),
		0);
	assert_int_equal(unlink(path) | rmdir(podinfo), 0);
	assert_int_equal(
		resource_init(&r, &labels, NULL, "k8s.node.name=n2,k8s.container.name=x,a=%FF"), 0);
	assert_string_equal(attribute(&r, "service.name"), "report");
	assert_string_equal(attribute(&r, "service.namespace"), "prod");
	assert_string_equal(attribute(&r, "k8s.namespace.name"), "prod");
	assert_string_equal(attribute(&r, "k8s.pod.name"), "report-28934561-q9w8e");
	assert_string_equal(attribute(&r, "k8s.node.name"), "n2");
	assert_string_equal(attribute(&r, "k8s.cronjob.name"), "report");
	assert_string_equal(attribute(&r, "k8s.pod.label.app.kubernetes.io/name"), "web");
	assert_string_equal(attribute(&r, "a"), "_");
	assert_string_equal(attribute(&r, "host.name"), "");
	assert_string_equal(attribute(&r, "k8s.container.name"), ""); /* the encoder says it */
	assert_string_equal(r.otlp.container_key, "k8s.container.name");
	assert_string_equal(r.otlp.instance, "prod.report-28934561-q9w8e");
	resource_release(&r);
	labels_release(&labels);
}

static void test_names_of_a_service(void **state)
{
	static const struct {
		const char *why;
		const char *name;
		const char *said;
		const char *want;
		int err;
	} rows[] = {
		{"the job", NULL, NULL, "shop", 0},
		{"what is said of the resource", NULL, "service.name=till", "till", 0},
		{"the variable of its own", "pos", "service.name=till", "pos", 0},
		{"nothing of what is malformed", NULL, "service.name=till,x", "shop", -EINVAL},
	};
	struct labels labels;

	(void)state;
	assert_int_equal(labels_init(&labels, &(struct label_options){.job = "shop", .pid = 7}), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct resource r;
		int err = resource_init(&r, &labels, rows[i].name, rows[i].said);

		if (err != rows[i].err || strcmp(attribute(&r, "service.name"), rows[i].want) != 0)
			fail_msg("%s: %d, %s", rows[i].why, err, attribute(&r, "service.name"));
		assert_string_equal(attribute(&r, "sidelight.target"), "pid-7");
		assert_string_equal(r.otlp.container_key, "container.name");
		assert_string_equal(r.otlp.instance + strlen(labels.identity.instance), ".pid-7");
		resource_release(&r);
	}
	labels_release(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),	   cmocka_unit_test(test_the_rest),
		cmocka_unit_test(test_bad_flags),	   cmocka_unit_test(test_resource_of_a_pod),
		cmocka_unit_test(test_names_of_a_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
