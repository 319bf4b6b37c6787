/* SPDX-License-Identifier: Apache-2.0 */
/* Targets to routes: automatic templates, users' templates, the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "guard.h"
#include "route_served.h"

struct test_case {
	const char *why;
	const char *target;
	const char *want;
};

static const struct test_case automatic[] = {
	{"the root", "/", "/"},
	{"words stay", "/api/users", "/api/users"},
	{"a dot makes no value", "/api/hello.world", "/api/hello.world"},
	{"a number", "/users/42", "/users/{id}"},
	{"a number of one digit", "/users/7/orders/8", "/users/{id}/orders/{id}"},
	{"signs and decimals", "/at/-12.5,3.25", "/at/{id}"},
	{"an IP address", "/hosts/10.0.0.1", "/hosts/{id}"},
	{"UUID", "/u/123e4567-e89b-12d3-a456-426614174000", "/u/{id}"},
	{"UUID in capitals", "/u/123E4567-E89B-12D3-A456-426614174000", "/u/{id}"},
	{"UUID without digits", "/u/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "/u/{id}"},
	{"ULID", "/u/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/u/{id}"},
	{"a Mongo object id", "/o/507f1f77bcf86cd799439011", "/o/{id}"},
	{"short git hash", "/commit/3f2a9c1", "/commit/{id}"},
	{"hex letters that are a word", "/facade/deadbeef", "/facade/deadbeef"},
	{"long hex without a digit", "/h/deadbeefcafebabe", "/h/{id}"},
	{"a hash with its algorithm",
	 "/v2/app/blobs/sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
	 "/v2/app/blobs/{id}"},
	{"the algorithm alone", "/sums/sha256/x509", "/sums/sha256/x509"},
	{"date", "/log/2024-01-15", "/log/{id}"},
	{"date and time", "/log/2024-01-15T10:15:00Z", "/log/{id}"},
	{"compact date and time", "/log/20240115T101500Z", "/log/{id}"},
	{"date with a month's name", "/log/15-Jan-2024", "/log/{id}"},
	{"e-mail address", "/users/jane.doe@example.com/mail", "/users/{id}/mail"},
	{"encoded", "/users/jane%40example.com", "/users/{id}"},
	{"handle", "/@jane/posts", "/{id}/posts"},
	{"a video's id", "/watch/dQw4w9WgXcQ", "/watch/{id}"},
	{"base64url with hyphens", "/t/V1StGXR8_Z5jdHi6B-myT", "/t/{id}"},
	{"a long token without digits", "/t/QWERTYuioPASDfghJKLzxcvB", "/t/{id}"},
	{"camel case", "/rpc/getUserAccountInformationByName",
	 "/rpc/getUserAccountInformationByName"},
	{"camel case with an acronym", "/rpc/getOAuth2TokenInfo", "/rpc/getOAuth2TokenInfo"},
	{"a service's full name", "/twirp/acme.billing.internal.v1.InvoiceService/MakeInvoice",
	 "/twirp/acme.billing.internal.v1.InvoiceService/MakeInvoice"},
	{"numbered things", "/u/user123/order-4567", "/u/{id}/{id}"},
	{"a Pod's name", "/pods/web-7d4b9c6f5d-x2x4z", "/pods/{id}"},
	{"short words with digits", "/oauth2/k8s/i18n/b2b/utf-8", "/oauth2/k8s/i18n/b2b/utf-8"},
	{"regions and languages", "/us-east-1/en-GB/zh-Hans-CN", "/us-east-1/en-GB/zh-Hans-CN"},
	{"versions", "/v1/v2.1/v1beta1/v1p1beta1/V10", "/v1/v2.1/v1beta1/v1p1beta1/V10"},
	{"not a version", "/v8a9b3c4d5/v12345", "/{id}/{id}"},
	{"a title", "/blog/how-to-write-a-good-commit", "/blog/{id}"},
	{"a few words", "/terms-and-conditions/about_us", "/terms-and-conditions/about_us"},
	{"hashed file name", "/static/app.3f2a9c1b.js", "/static/{id}.js"},
	{"file names", "/static/app.min.js/logo@2x", "/static/app.min.js/{id}"},
	{"library with a short version", "/jquery-3.6.0.min.js", "/jquery-3.6.0.min.js"},
	{"numbered file", "/img/12345.png", "/img/{id}.png"},
	{"dated file", "/r/report-2024-01-15.pdf", "/r/{id}.pdf"},
	{"an extension with a digit", "/f/font.woff2/a.mp4", "/f/font.woff2/a.mp4"},
	{"a version number is no extension", "/npm/1.2.3", "/npm/{id}"},
	{"dot files", "/.well-known/.env", "/.well-known/.env"},
	{"query", "/search?q=42&x=/a/b", "/search"},
	{"query without a path's end", "/a/?b", "/a/"},
	{"fragment", "/a#b?c", "/a"},
	{"path parameters", "/a;jsessionid=1A2B3C4D/b;v=1", "/a/b"},
	{"encoded path parameters", "/a%3Bjsessionid%3D1A2B/b%3b", "/a/b"},
	{"an encoded query", "/a%3Ftoken%3Dhunter/b%3fc%26d", "/a/b"},
	{"an encoded fragment", "/a%23access_token%3Dhunter", "/a"},
	{"a parameter as a segment", "/verify/token=hunter/x%3dy", "/verify/{id}/{id}"},
	{"a key in parentheses", "/Products(id=x)/Name", "/{id}/Name"},
	{"empty segments", "//a///b/", "/a/b/"},
	{"a last slash is another route", "/users/42/", "/users/{id}/"},
	{"encoded letters are letters", "/%61pi/%7Euser", "/api/~user"},
	{"an encoded slash is no slash", "/a%2fb", "/a%2Fb"},
	{"UTF-8 as it came or encoded", "/caf\xc3\xa9/caf%c3%a9", "/caf%C3%A9/caf%C3%A9"},
	{"what would break out of a label", "/a\"b\\c\nd", "/a%22b%5Cc%0Ad"},
	{"braces are no template", "/{id}/x", "/%7Bid%7D/x"},
	{"a percent sign that encodes nothing", "/100%/%zz/%4", "/{id}/%25zz/{id}"},
	{"scans", "/../../etc/passwd", "/../../etc/passwd"},
	{"depth is bounded", "/a/b/c/d/e/f/g/h/i/j/k/l/m", "/a/b/c/d/e/f/g/h/i/j/*"},
	{"length is bounded",
	 "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/y", "/{id}/y"},
	{"absolute-form", "http://example.com:80/users/42?q", "/users/{id}"},
	{"absolute-form without a path", "https://example.com?q", "/"},
	{"asterisk-form", "*", "*"},
	{"authority-form", "example.com:443", "{authority}"},
	{"an IPv6 authority", "[::1]:443", "{authority}"},
	{"no form", "users/42", "{invalid}"},
	{"empty", "", "{invalid}"},
	{"only a query", "?a=b", "{invalid}"},
};

static const char templates[] =
	"/users/{id}, /users/me "
	",/users/{id}/posts/{post},/files/*,/caf\xc3\xa9/{x},/health/,/a/{b}/*";

static const struct test_case own[] = {
	{"one segment", "/users/jane", "/users/{id}"},
	{"in order: the first one wins", "/users/me", "/users/{id}"},
	{"with a query", "/users/jane?x", "/users/{id}"},
	{"two parameters", "/users/jane/posts/hello", "/users/{id}/posts/{post}"},
	{"a parameter is not empty", "/users/", "/users/"},
	{"nor more than a segment", "/users/jane/x", "/users/jane/x"},
	{"any rest", "/files/a/b/c.txt", "/files/*"},
	{"an empty rest", "/files/", "/files/*"},
	{"no rest", "/files", "/files"},
	{"a parameter before the rest", "/a/x/y/z", "/a/{b}/*"},
	{"spelled otherwise", "//%75sers/jane", "/users/{id}"},
	{"UTF-8 in the template", "/caf%c3%a9/1", "/caf\xc3\xa9/{x}"},
	{"a last slash", "/health/", "/health/"},
	{"automatic where none fits", "/other/42", "/other/{id}"},
	{"equal to a template, though found automatically", "/users/42;x", "/users/{id}"},
};

static struct guard guard;

static void run(struct served *r, const struct test_case *cases, size_t n)
{
	for (const struct test_case *c = cases; c < cases + n; c++) {
		struct span target = guard_put(&guard, span_of(c->target));
		const char *got = served_find(r, ROLE_SERVER, target);

		if (strcmp(got, c->want) != 0)
			fail_msg("%s: %s gives %s, not %s", c->why, c->target, got, c->want);
		/* From the cache, and interned. */
		assert_ptr_equal(got, served_find(r, ROLE_SERVER, target));
		assert_ptr_equal(got, served_find(r, ROLE_CLIENT, target));
	}
}

static void test_automatic(void **state)
{
	const char *error = NULL;
	struct served r = served_new(NULL, 1000, &error);

	(void)state;
	assert_non_null(r.routes);
	run(&r, automatic, sizeof(automatic) / sizeof(*automatic));
	assert_int_equal(label_values_overflowed(r.names), 0);
	served_free(&r);
}

static void test_own(void **state)
{
	const char *error = NULL;
	struct served r = served_new(templates, 1000, &error);

	(void)state;
	assert_non_null(r.routes);
	run(&r, own, sizeof(own) / sizeof(*own));
	served_free(&r);
}

static const struct {
	const char *templates;
	const char *error;
} malformed[] = {
	{"users", "must begin with '/'"},
	{"/a,,/b", "must begin with '/'"},
	{"/a,", "must begin with '/'"},
	{"http://x/y", "must begin with '/'"},
	{"/a/*/b", "must be its last segment"},
	{"/a/{b", "must fill its segment"},
	{"/a/b}", "must fill its segment"},
	{"/a/{b}.json", "must fill its segment"},
	{"/a/{b}{c}", "must fill its segment"},
	{"/a/{}", "must not be empty"},
	{"/a?b=c", "is a path"},
	{"/a b", "is a path"},
	{"/a\"", "is a path"},
};

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		const char *error = "";

		struct served r = served_new(malformed[i].templates, 10, &error);

		assert_null(r.routes);
		served_free(&r);
		if (!strstr(error, malformed[i].error))
			fail_msg("%s gives '%s'", malformed[i].templates, error);
	}
}

/* Other templates while it runs: what was handed out stays, and nothing old is answered. */
static void test_set(void **state)
{
	const char *error;
	struct served r = served_new("/a/{x}", 1, &error);
	struct span target = span_of("/a/b");
	const char *first = served_find(&r, ROLE_SERVER, target);
	char name[32];

	(void)state;
	assert_string_equal(first, "/a/{x}");
	assert_non_null(routes_set(r.routes, "/b,no slash"));
	assert_ptr_equal(served_find(&r, ROLE_SERVER, target), first);
	assert_null(routes_set(r.routes, "/{y}/b"));
	assert_string_equal(served_find(&r, ROLE_SERVER, target), "/{y}/b");
	assert_null(routes_set(r.routes, NULL));
	assert_string_equal(served_find(&r, ROLE_SERVER, target), "/a/b");
	assert_string_equal(first, "/a/{x}");
	/* What was a template counts as any other path when it is none any more. */
	assert_null(routes_set(r.routes, "/c"));
	assert_null(routes_set(r.routes, ""));
	assert_string_equal(served_find(&r, ROLE_SERVER, span_of("/c")), LABEL_OTHER);
	assert_null(routes_set(r.routes, "/a/{x}"));
	assert_ptr_equal(served_find(&r, ROLE_SERVER, target), first);
	/* The same ones again and again cost nothing; different ones have an end. */
	for (int i = 0; i < 10000; i++)
		assert_null(routes_set(r.routes, "/a/{x},/c"));
	error = NULL;
	for (int i = 0; i < 5000 && !error; i++) {
		(void)snprintf(name, sizeof(name), "/n%d", i);
		error = routes_set(r.routes, name);
	}
	assert_non_null(error);
	served_free(&r);
}

static void test_cap(void **state)
{
	const char *error = NULL;
	struct served r = served_new("/own/{id}", 3, &error);
	char path[32];

	(void)state;
	assert_non_null(r.routes);
	for (int i = 0; i < 10; i++) {
		const char *want;

		(void)snprintf(path, sizeof(path), "/word%c", 'a' + i);
		want = i < 3 ? path : LABEL_OTHER;
		assert_string_equal(served_find(&r, ROLE_SERVER, span_of(path)), want);
	}
	assert_int_equal(label_values_overflowed(r.names), 7);
	/* Those that came in time stay, templates of the user's are not counted, and the other
	 * direction has a cap of its own. */
	assert_string_equal(served_find(&r, ROLE_SERVER, span_of("/worda")), "/worda");
	assert_string_equal(served_find(&r, ROLE_SERVER, span_of("/own/x")), "/own/{id}");
	assert_string_equal(served_find(&r, ROLE_CLIENT, span_of("/wordj")), "/wordj");
	assert_int_equal(label_values_overflowed(r.names), 7);
	/* Cached or not, each one is counted. */
	assert_string_equal(served_find(&r, ROLE_SERVER, span_of("/wordj")), LABEL_OTHER);
	assert_string_equal(served_find(&r, ROLE_SERVER, span_of("/wordj")), LABEL_OTHER);
	assert_int_equal(label_values_overflowed(r.names), 9);
	served_free(&r);
}

/* A target longer than anything that is kept. */
static void test_long(void **state)
{
	const char *error = NULL;
	struct served r = served_new("/files/*", 10, &error);
	char *target = malloc(16384);
	const char *route;

	(void)state;
	assert_non_null(r.routes);
	assert_non_null(target);
	memset(target, '%', 16384);
	memcpy(target, "/files/", 7);
	route = served_find(&r, ROLE_SERVER, guard_put(&guard, (struct span){target, 16384}));
	assert_string_equal(route, "/files/*");
	for (size_t i = 0; i < 16384; i++)
		target[i] = i % 2 ? 'a' : '/';
	route = served_find(&r, ROLE_SERVER, guard_put(&guard, (struct span){target, 16384}));
	assert_string_equal(route, "/a/a/a/a/a/a/a/a/a/a/*");
	free(target);
	served_free(&r);
}

/* A template that does not fit is cut, never written behind its buffer. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 16; size++) {
		char *buf = guard_room(&guard, size);
		size_t len = route_template(span_of("/users/42/x"), buf, size);

		assert_int_equal(len, size < 13 ? size : 13);
		assert_memory_equal(buf, "/users/{id}/x", len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_automatic), cmocka_unit_test(test_own),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_cap),
		cmocka_unit_test(test_long),	  cmocka_unit_test(test_cut),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
