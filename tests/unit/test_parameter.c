/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/parameter.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "txn/route.h"

static enum parameter_id find(const char *name)
{
	for (int i = 0; i < PARAM_MAX; i++)
		if (strcmp(parameter_table[i].name, name) == 0)
			return (enum parameter_id)i;
	fail_msg("no parameter %s", name);
	return PARAM_MAX;
}

/* Values at the edges of what is accepted; refused ones are tested end to end as well. */
static const struct {
	const char *name;
	const char *value;
	bool want;
} rows[] = {
	{"image", "sidelight", true},
	{"image", "localhost:5000/a/b_c.d:Tag-1", true},
	{"image", "a/b//c", false}, /* container runtimes refuse it and its Pod */
	{"image", "a__b/c--d.e", true},
	{"image", "a___b", false},
	{"image", "a..b", false},
	{"image", "-a.b/c", false},
	{"image", "a:b:c", false},
	{"image", "", false},
	{"native", "true", true},
	{"native", "TRUE", false},
	{"cpu", "1m", true},
	{"cpu", "999999m", true},
	{"cpu", "0.001", true},
	{"cpu", "0.000", false},
	{"cpu", "999.999", true},
	{"cpu", "1000", false},
	{"memory", "1M", true},
	{"memory", "99999Mi", true},
	{"memory", "100000Mi", false},
	{"memory", "999Gi", true},
	{"memory-limit", "30Mi", true},
	{"memory-limit", "29M", false},
	{"memory-limit", "1G", true},
	{"metrics-port", "1", true},
	{"metrics-port", "65535", true},
	{"metrics-port", "65536", false},
	{"metrics-port", "01", false},
	{"push", "http://gw:9091", true},
	{"push", "https://user:word@[fd00::1]:9091/prefix", true},
	{"push", "https://user:word@[fd00::1]:9091/prefix?a=b", false},
	{"push", "http:/gw", false},
	{"push", "http://$(X)", false},
	{"otlp", "http://collector:4318", true},
	{"otlp", "https://user@victoria.team.svc:8428/opentelemetry", true},
	{"otlp", "collector:4317", false},
	{"otlp", "http://$(X)", false},
	{"header-capture", "forbidden", true},
	{"header-capture", "never", false},
	{"syscall-counting", "forbidden", true},
	{"syscall-counting", "off", false},
	{"by", "process", true},
	{"by", "none", true},
	{"by", "thread", false},
	{"histograms", "native", true},
	{"histograms", "both", true},
	{"histograms", "classic", true},
	{"histograms", "Native", false},
	{"histograms", "", false},
	{"push-interval", "100ms", true},
	{"push-interval", "99ms", false},
	{"push-interval", "1", true},
	{"push-interval", "9999s", true},
	{"push-interval", "999m", true},
	{"push-interval", "24h", true},
	{"push-interval", "25h", false},
	{"containers", "a", true},
	{"containers", "app,b-2", true},
	{"containers", "app,", false},
	{"routes", "/", true},
	{"routes", "/*", true},
	{"routes", "/a/{id}/b,/files/*,/x.y~z", true},
	{"routes", "/a*", false},
	{"routes", "/*/a", false},
	{"routes", "/{}", false},
	{"routes", "/a{b}", false},
	{"log-level", "debug", true},
	{"log-level", "DEBUG", false},
	{"tls", "keys", true},
	{"tls", "off", true},
	{"tls", "on", false},
	{"tls-capability", "SYS_ADMIN", true},
	{"tls-capability", "", false},
	{"tls-capability", "ALL", false},
	{"tls-capability", "SYS_ADMIN,SYS_MODULE", false},
	{"workload", "web-1.2_3", true},
	{"workload", "web/1", false},
};

static void test_accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parameter_accepts(find(rows[i].name), rows[i].value) != rows[i].want)
			fail_msg("%s: \"%s\"", rows[i].name, rows[i].value);
}

/* A parameter with a veto takes these two words: policy and guard know no third. */
static void test_vetoes(void **state)
{
	char pattern[64];
	int count = 0;

	(void)state;
	for (int i = 0; i < PARAM_MAX; i++) {
		const struct parameter *p = &parameter_table[i];

		assert_int_equal(!p->final, !p->revocable);
		if (!p->final)
			continue;
		(void)snprintf(pattern, sizeof(pattern), "^(%s|%s)$", p->revocable, p->final);
		assert_string_equal(p->pattern, pattern);
		assert_true(parameter_is_final((enum parameter_id)i, p->final));
		count++;
	}
	assert_int_equal(count, 3);
}

/* A container that ends because of a value would be our fault. */
static void test_sidelight_takes_what_is_accepted(void **state)
{
	static const struct {
		const char *name;
		const char *variable;
	} variables[] = {{"push", "SIDELIGHT_PUSH"},
			 {"push-interval", "SIDELIGHT_PUSH_INTERVAL"},
			 {"otlp", "SIDELIGHT_OTLP"},
			 {"histograms", "SIDELIGHT_HISTOGRAMS"},
			 {"by", "SIDELIGHT_BY"},
			 {"containers", "SIDELIGHT_CONTAINERS"},
			 {"routes", "SIDELIGHT_ROUTES"},
			 {"log-level", "SIDELIGHT_LOG_LEVEL"},
			 {"tls", "SIDELIGHT_TLS"},
			 {"workload", "SIDELIGHT_WORKLOAD"},
			 {"header-capture", "SIDELIGHT_HEADER_CAPTURE"},
			 {"syscall-counting", "SIDELIGHT_SYSCALL_COUNTING"}};
	int count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < sizeof(variables) / sizeof(variables[0]); k++) {
			char line[512];
			char *environ[] = {line, NULL};
			const char *argv[] = {"sidelight", "run", "--pid", "1", NULL};
			const char *why = NULL;
			struct options o;
			struct text error;
			struct label_values *names;
			struct routes *routes;

			if (!rows[i].want || strcmp(rows[i].name, variables[k].name) != 0)
				continue;
			(void)snprintf(line, sizeof(line), "%s=%s", variables[k].variable,
				       rows[i].value);
			text_init(&error);
			if (options_parse(&o, 4, (char **)argv, environ, &error))
				fail_msg("%s: %s", line, error.ptr);
			names = label_values_new(10);
			assert_non_null(names);
			routes = routes_new(names, o.routes, &why);
			if (!routes)
				fail_msg("%s: %s", line, why);
			routes_free(routes);
			label_values_free(names);
			text_release(&error);
			count++;
		}
	}
	assert_int_equal(count, 25);
}

/* A URL is put together from these. */
static const char *const schemes[] = {"http://",  "https://",	    "HTTP://", "ftp://",
				      "http:/",	  "http:",	    "//",      "",
				      "http:///", "http://http://", " http://"};
static const char *const users[] = {"",	    "u@",     "u:p@",  "u:@",	"@",	 ":@",
				    ":p@",  "u:p:q@", "u%40@", "u%@",	"u%00@", "u\xc3\xa4@",
				    "u@v@", "u/@",    "$(X)@", "u:p[@", "u:p#@", "u\\@"};
static const char *const hosts[] = {"gw",
				    "gw.shop.svc.cluster.local",
				    "gw.",
				    "gw..",
				    ".gw",
				    "..",
				    "g w",
				    "g_w",
				    "-gw",
				    "gw-",
				    "127.0.0.1",
				    "127.1",
				    "256.1.1.1",
				    "0x7f.1",
				    "4294967296",
				    "[::1]",
				    "[fd00::1]",
				    "[::]",
				    "[::1",
				    "::1",
				    "[1::2::3]",
				    "[12345::]",
				    "[::1%25eth0]",
				    "[1:2:3:4:5:6:7:8]",
				    "[1:2:3:4:5:6:7]",
				    "[1:2:3:4:5:6:7:8:9]",
				    "[1::8]",
				    "[]",
				    "[gw]",
				    "[::ffff:1.2.3.4]",
				    "",
				    "g%77",
				    "g*",
				    "g,w",
				    "g\tw",
				    "\xc3\xa4",
				    "g[w",
				    "g]w",
				    "(gw)",
				    "~gw",
				    "gw;"};
static const char *const ports[] = {"",	    ":9091", ":1",  ":65535", ":65536", ":0",		":",
				    ":080", ":-1",   ":9a", ": 1",    ":1:2",	":999999999999"};
static const char *const paths[] = {"",	     "/",    "/a/b/", "//",  "/a%20b", "/a%",  "/a b",
				    "/?a=b", "?a",   "?",     "#",   "/#f",    "/a[",  "/a]",
				    "/$(X)", "/a\n", "/@:",   "\\a", "/..",    "/\x7f"};

/* libcurl can ask for it, and there is room for the path of a group behind it. */
static bool curl_accepts(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	char *extra = NULL;
	bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
		  curl_url_get(u, CURLUPART_QUERY, &extra, 0) != CURLUE_OK &&
		  curl_url_get(u, CURLUPART_FRAGMENT, &extra, 0) != CURLUE_OK;

	curl_free(scheme);
	curl_free(extra);
	curl_url_cleanup(u);
	return ok;
}

/* What `run` makes of SIDELIGHT_PUSH: it never ends because of it. */
static bool run_pushes_to(const char *url)
{
	const char *argv[] = {"sidelight", "run", "--pid", "1", NULL};
	char line[512];
	char *environ[] = {line, NULL};
	struct text error;
	struct options o;

	(void)snprintf(line, sizeof(line), "SIDELIGHT_PUSH=%s", url);
	text_init(&error);
	if (options_parse(&o, 4, (char **)argv, environ, &error))
		fail_msg("%s: %s", line, error.ptr);
	if (*url && o.is_push_refused == (o.push != NULL))
		fail_msg("%s: neither refused nor used", line);
	text_release(&error);
	return o.push != NULL;
}

/* As a flag, the same URL is used, or ends the program with one line. */
static bool flag_is_taken(const char *url)
{
	const char *argv[] = {"sidelight", "run", "--pid", "1", "--push", url, NULL};
	char *environ[] = {NULL};
	struct text error;
	struct options o;
	bool is_taken;

	text_init(&error);
	is_taken = options_parse(&o, 6, (char **)argv, environ, &error) == 0;
	assert_true(is_taken || (error.len > 0 && !strchr(error.ptr, '\n')));
	text_release(&error);
	return is_taken;
}

static void compare(const char *url, int *accepted)
{
	bool by_webhook = parameter_accepts(PARAM_PUSH, url);

	if (by_webhook != run_pushes_to(url) || by_webhook != flag_is_taken(url))
		fail_msg("\"%s\": the webhook says %d", url, by_webhook);
	if (by_webhook && !curl_accepts(url))
		fail_msg("\"%s\" is accepted, and cannot be pushed to", url);
	*accepted += by_webhook;
}

#define EACH(i, list) for (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

/* One part at a time is odd, and any two of them. */
static void test_every_shape_of_url(void **state)
{
	int accepted = 0;

	(void)state;
	EACH(s, schemes) EACH(u, users) EACH(h, hosts) EACH(p, ports) EACH(t, paths)
	{
		char url[256];

		if ((s > 0) + (u > 0) + (h > 0) + (p > 0) + (t > 0) > 2)
			continue;
		(void)snprintf(url, sizeof(url), "%s%s%s%s%s", schemes[s], users[u], hosts[h],
			       ports[p], paths[t]);
		compare(url, &accepted);
	}
	assert_in_range(accepted, 200, 1000);
}

static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < PARAM_MAX; i++) {
		const struct parameter *p = &parameter_table[i];
		size_t len = strlen(p->pattern);

		assert_true(p->pattern[0] == '^' && p->pattern[len - 1] == '$');
		assert_true(p->max_bytes > 0 && p->wanted && p->help && p->metavar);
		if (*p->fallback)
			assert_true(parameter_accepts((enum parameter_id)i, p->fallback));
	}
}

static void test_lists(void **state)
{
	char list[2 * 257 + 1];
	char longest[172];

	(void)state;
	for (size_t i = 0; i < 257; i++)
		memcpy(list + 2 * i, ",/", 2);
	list[sizeof(list) - 1] = '\0';
	assert_false(parameter_accepts(PARAM_ROUTES, list + 1));
	list[2 * 256] = '\0';
	assert_true(parameter_accepts(PARAM_ROUTES, list + 1));
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[171] = '\0';
	assert_false(parameter_accepts(PARAM_ROUTES, longest));
	longest[170] = '\0';
	assert_true(parameter_accepts(PARAM_ROUTES, longest));
}

static void check_values(const char *annotations, const char *name, const char *want, int lines)
{
	cJSON *parsed = cJSON_Parse(annotations);
	cJSON *warnings = cJSON_CreateArray();
	struct values defaults;
	struct values v;

	for (int i = 0; i < PARAM_MAX; i++)
		defaults.of[i] = parameter_table[i].fallback;
	defaults.of[PARAM_PUSH] = "http://default:9091";
	assert_true(values_resolve(&v, &defaults, parsed, warnings));
	if (strcmp(v.of[find(name)], want) != 0)
		fail_msg("%s: %s is \"%s\"", annotations, name, v.of[find(name)]);
	assert_int_equal(cJSON_GetArraySize(warnings), lines);
	cJSON_Delete(warnings);
	cJSON_Delete(parsed);
}

static void test_resolve(void **state)
{
	(void)state;
	check_values("null", "push", "http://default:9091", 0);
	check_values("{\"sidelight.dev/push\":\"http://own\"}", "push", "http://own", 0);
	check_values("{\"sidelight.dev/push\":\"own\"}", "push", "http://default:9091", 1);
	check_values("{\"sidelight.dev/push\":7}", "push", "http://default:9091", 0);
	check_values("{\"sidelight.dev/image-choice\":\"any\"}", "image-choice", "repository", 1);
	check_values("{\"sidelight.dev/export\":\"scrape\"}", "push", "", 0);
	check_values("{\"sidelight.dev/export\":\"push\"}", "metrics-port", "", 0);
	check_values("{}", "metrics-port", "", 0);
	check_values("{}", "export", "push", 0);
	check_values("{\"sidelight.dev/export\":\"both\"}", "metrics-port", "9465", 0);
	check_values("{\"sidelight.dev/export\":\"both\"}", "push", "http://default:9091", 0);
	check_values("{\"sidelight.dev/memory\":\"1Gi\"}", "memory-limit", "1Gi", 0);
	check_values("{\"sidelight.dev/memory\":\"128Mi\"}", "memory-limit", "128Mi", 0);
	check_values("{\"sidelight.dev/memory\":\"135M\"}", "memory-limit", "135M", 0);
	check_values("{\"sidelight.dev/cpu\":\"2\"}", "cpu-limit", "", 0);
	check_values("{\"sidelight.dev/cpu\":\"2\",\"sidelight.dev/cpu-limit\":\"1999m\"}",
		     "cpu-limit", "2", 0);
	check_values("{\"sidelight.dev/cpu\":\"0.5\",\"sidelight.dev/cpu-limit\":\"500m\"}",
		     "cpu-limit", "500m", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_vetoes),
		cmocka_unit_test(test_sidelight_takes_what_is_accepted),
		cmocka_unit_test(test_every_shape_of_url),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_resolve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
