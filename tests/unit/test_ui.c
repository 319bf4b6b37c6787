/* SPDX-License-Identifier: Apache-2.0 */
/* Who sees the page of `sidelight ui`, and what it keeps for pages that are opened later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ui_access.h"
#include "cmd/ui_assets.h"
#include "cmd/ui_lines.h"

static const char good[] = "0123456789abcdef0123456789abcdef";
static const char other[] = "0123456789abcdef0123456789abcdee";
static const char token[] = "fedcba9876543210fedcba9876543210";

static void test_admission(void **state)
{
	static const struct {
		const char *why;
		struct ui_visit visit;
		enum ui_admission want;
	} rows[] = {
		{"a browser that has the session",
		 {"127.0.0.1:1", "same-origin", good, NULL, false},
		 UI_ADMITTED},
		{"a client that is no browser",
		 {"localhost", NULL, good, NULL, false},
		 UI_ADMITTED},
		{"the port may be forwarded",
		 {"[::1]:65535", "none", good, NULL, true},
		 UI_ADMITTED},
		{"the session wins over an old token",
		 {"localhost", NULL, good, other, true},
		 UI_ADMITTED},
		{"the link", {"127.0.0.1:1", "none", NULL, token, true}, UI_ADMITTED_BY_TOKEN},
		{"the link on another site",
		 {"127.0.0.1:1", "cross-site", NULL, token, true},
		 UI_ADMITTED_BY_TOKEN},
		{"a token opens the page only",
		 {"127.0.0.1:1", "none", NULL, token, false},
		 UI_REFUSED},
		{"the session is no token", {"127.0.0.1:1", "none", NULL, good, true}, UI_REFUSED},
		{"the token is no session", {"127.0.0.1:1", "none", token, NULL, true}, UI_REFUSED},
		{"one digit is wrong", {"127.0.0.1:1", "none", other, other, true}, UI_REFUSED},
		{"the beginning of it", {"127.0.0.1:1", "none", "0123", "fedc", true}, UI_REFUSED},
		{"nothing", {"127.0.0.1:1", "none", "", "", true}, UI_REFUSED},
		{"a page of another port",
		 {"127.0.0.1:1", "same-site", good, NULL, false},
		 UI_REFUSED},
		{"a page of another site",
		 {"127.0.0.1:1", "cross-site", good, NULL, false},
		 UI_REFUSED},
		{"no Host", {NULL, NULL, good, NULL, true}, UI_WRONG_HOST},
		{"a name of somebody else",
		 {"evil.example:1", "none", good, token, true},
		 UI_WRONG_HOST},
		{"ours at its beginning",
		 {"127.0.0.1.evil.example", NULL, good, NULL, true},
		 UI_WRONG_HOST},
		{"a port without digits", {"localhost:", NULL, good, NULL, true}, UI_WRONG_HOST},
		{"a port that is none", {"localhost:1x", NULL, good, NULL, true}, UI_WRONG_HOST},
		{"another address", {"127.0.0.2:1", NULL, good, NULL, true}, UI_WRONG_HOST},
	};
	struct ui_access a = {.cookie = "sidelight-12345678"};

	(void)state;
	memcpy(a.session, good, sizeof(good));
	memcpy(a.token, token, sizeof(token));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ui_access_check(&a, &rows[i].visit) != rows[i].want)
			fail_msg("%s: %d", rows[i].why, ui_access_check(&a, &rows[i].visit));
	a.token[0] = '\0';
	assert_int_equal(ui_access_check(&a, &(struct ui_visit){"localhost", NULL, NULL, "", true}),
			 UI_REFUSED);
}

static void test_secrets_differ(void **state)
{
	struct ui_access a, b;
	char before[UI_SECRET_SIZE];

	(void)state;
	assert_int_equal(ui_access_init(&a), 0);
	assert_int_equal(ui_access_init(&b), 0);
	assert_int_equal(strlen(a.token), UI_SECRET_SIZE - 1);
	assert_int_equal(strspn(a.session, "0123456789abcdef"), UI_SECRET_SIZE - 1);
	assert_string_not_equal(a.token, a.session);
	assert_string_not_equal(a.token, b.token);
	assert_string_not_equal(a.session, b.session);
	assert_string_not_equal(a.cookie, b.cookie);
	memcpy(before, a.token, sizeof(before));
	assert_int_equal(ui_access_renew_token(&a), 0);
	assert_string_not_equal(a.token, before);
}

static void assert_written(const struct ui_lines *l, uint64_t from, const char *want)
{
	struct text out;

	text_init(&out);
	ui_lines_write(l, &out, from);
	assert_string_equal(out.ptr, want);
	text_release(&out);
}

static void test_lines(void **state)
{
	struct ui_lines l;

	(void)state;
	assert_int_equal(ui_lines_init(&l, 3, 10), 0);
	assert_written(&l, 0, "{\"first\":0,\"next\":0,\"end\":0,\"lost\":0}\n");
	for (const char *word = "a\0b\0c\0d\0"; *word; word += 2)
		ui_lines_add(&l, span_of(word));
	assert_written(&l, 0, "{\"first\":1,\"next\":4,\"end\":4,\"lost\":0}\nb\nc\nd\n");
	assert_written(&l, 3, "{\"first\":3,\"next\":4,\"end\":4,\"lost\":0}\nd\n");
	assert_written(&l, 9, "{\"first\":4,\"next\":4,\"end\":4,\"lost\":0}\n");
	/* Nine bytes leave room for one of the others. */
	ui_lines_add(&l, span_of("123456789"));
	assert_written(&l, 0, "{\"first\":3,\"next\":5,\"end\":5,\"lost\":1}\nd\n123456789\n");
	ui_lines_add(&l, span_of("one that is larger than all may be"));
	assert_written(&l, 0,
		       "{\"first\":5,\"next\":6,\"end\":6,\"lost\":3}\n"
		       "one that is larger than all may be\n");
	assert_int_equal(l.bytes, 34);
	ui_lines_release(&l);
}

/* Long answers come in parts, of which each has a line at least. */
static void test_lines_in_parts(void **state)
{
	static char line[100 << 10];
	struct ui_lines l;
	struct text out;
	unsigned parts = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(ui_lines_init(&l, 10, 4 << 20), 0);
	for (int i = 0; i < 5; i++)
		ui_lines_add(&l, (struct span){line, sizeof(line)});
	text_init(&out);
	for (uint64_t from = 0; from < l.next; parts++) {
		text_clear(&out);
		ui_lines_write(&l, &out, from);
		assert_true(out.len < 300 << 10);
		assert_non_null(strstr(out.ptr, "\"next\":"));
		from = strtoull(strstr(out.ptr, "\"next\":") + 7, NULL, 10);
	}
	assert_int_equal(parts, 3);
	text_release(&out);
	ui_lines_release(&l);
}

static void test_assets(void **state)
{
	const struct ui_asset *page = ui_asset_find("/");

	(void)state;
	assert_non_null(page);
	assert_true(span_starts(page->body, "<!doctype html>"));
	assert_non_null(ui_asset_find("/uPlot.LICENSE"));
	assert_null(ui_asset_find(""));
	assert_null(ui_asset_find("/page.html"));
	assert_null(ui_asset_find("/../page.js"));
	/* Whatever the page names is there. */
	for (const char *at = page->body.ptr; (at = strpbrk(at, "\"")); at++) {
		size_t len = strcspn(at + 1, "\"");
		char path[64];

		if (len < 3 || len > 40 ||
		    (strncmp(at + len - 2, ".js", 3) != 0 && strncmp(at + len - 3, ".css", 4) != 0))
			continue;
		(void)snprintf(path, sizeof(path), "/%.*s", (int)len, at + 1);
		assert_non_null(ui_asset_find(path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_admission), cmocka_unit_test(test_secrets_differ),
		cmocka_unit_test(test_lines),	  cmocka_unit_test(test_lines_in_parts),
		cmocka_unit_test(test_assets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
