/* SPDX-License-Identifier: Apache-2.0 */
/* Grouping keys as a gateway reads them, and secrets as a header can carry them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "export/group.h"
#include "base/secret.h"

static void test_values(void **state)
{
	static const struct {
		const char *why;
		const char *value;
		const char *want;
	} rows[] = {
		{"names of Kubernetes stay readable", "web-7d4b9_x.y~z", "pod/web-7d4b9_x.y~z"},
		{"the gateway answers 301 to %2F", "a/b", "pod@base64/YS9i"},
		{"an empty value is one padding character", "", "pod@base64/="},
		{"a path loses dots", ".", "pod@base64/Lg"},
		{"and the step before them", "..", "pod@base64/Li4"},
		{"three dots are a name", "...", "pod/..."},
		{"the URL alphabet has - and _ for + and /", "\xfb\xff\xfe", "pod@base64/-__-"},
		{"one byte left over", "a b\xff", "pod@base64/YSBi_w"},
		{"two bytes left over", "??\xff??", "pod@base64/Pz__Pz8"},
		{"what would end the path", "a?b#c", "pod@base64/YT9iI2M"},
		{"percent signs are not ours to decode", "%41", "pod@base64/JTQx"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct label labels[] = {{"job", "j"}, {"pod", rows[i].value}};
		char want[128];
		struct text out;

		text_init(&out);
		group_add_url(&out, "http://gw:9091", labels, 2);
		(void)snprintf(want, sizeof(want), "http://gw:9091/metrics/job/j/%s", rows[i].want);
		if (strcmp(out.ptr, want) != 0)
			fail_msg("%s: %s", rows[i].why, out.ptr);
		text_release(&out);
	}
}

static void test_base(void **state)
{
	const struct label job = {"job", "j"};
	struct text out;

	(void)state;
	text_init(&out);
	group_add_url(&out, "https://gw/prefix//", &job, 1);
	assert_string_equal(out.ptr, "https://gw/prefix/metrics/job/j");
	text_release(&out);
}

static void test_secrets(void **state)
{
	static const struct {
		const char *why;
		const char *content;
		size_t len;
		int want;
	} rows[] = {
		{"a line", "token\n", 6, 0},
		{"no line end", "token", 5, 0},
		{"DOS's line end", "token\r\n", 7, 0},
		{"nothing", "", 0, -EINVAL},
		{"only a line end", "\n", 1, -EINVAL},
		{"a second line would be a field of its own", "token\nX: y\n", 11, -EINVAL},
		{"a NUL would cut it", "tok\0en", 6, -EINVAL},
	};
	char path[] = "/tmp/sidelight-secret-XXXXXX";
	char buf[16];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].content, rows[i].len, 0), rows[i].len);
		if (secret_read(path, buf, sizeof(buf)) != rows[i].want)
			fail_msg("%s", rows[i].why);
		if (rows[i].want == 0)
			assert_string_equal(buf, "token");
	}
	assert_int_equal(pwrite(fd, "0123456789abcdef", 16, 0), 16);
	assert_int_equal(secret_read(path, buf, sizeof(buf)), -EINVAL); /* longer than the buffer */
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(secret_read(path, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(secret_read("/tmp", buf, sizeof(buf)), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
