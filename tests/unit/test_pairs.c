/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of pairs in the environment: each list has one meaning, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pairs.h"
#include "base/text.h"

/* "key>value|key>value" */
static void show(struct text *out, const struct pairs *p)
{
	for (size_t i = 0; i < p->count; i++)
		text_addf(out, "%s%s>%s", i ? "|" : "", p->list[i].key, p->list[i].value);
}

static void test_lists(void **state)
{
	static const struct {
		const char *why;
		const char *list;
		const char *want; /* NULL: it is malformed */
	} rows[] = {
		{"nothing is a list of nothing", "", ""},
		{"two", "a=1,b=2", "a>1|b>2"},
		{"blanks around keys and values", " a = 1 ,\tb=2\t", "a>1|b>2"},
		{"blanks inside of a value stay", "a=1 2", "a>1 2"},
		{"empty members, as a comma at the end leaves", ",a=1,, ,", "a>1"},
		{"a value may have an equals sign", "a=b=c==", "a>b=c=="},
		{"an empty value", "a=,b= ", "a>|b>"},
		{"percent-decoded", "a=x%2Cy%3dz%25%20", "a>x,y=z% "},
		{"a plus is a plus", "a=1+2", "a>1+2"},
		{"UTF-8, encoded or not", "a=n%C3%A9,b=n\xc3\xa9", "a>n\xc3\xa9|b>n\xc3\xa9"},
		{"the last of a key counts, at the place of the first", "a=1,b=2,a=3", "a>3|b>2"},
		{"keys differ in case", "a=1,A=2", "a>1|A>2"},
		{"no equals sign", "a", NULL},
		{"one member without", "a=1,b", NULL},
		{"no key", "=1", NULL},
		{"a blank in a key", "a b=1", NULL},
		{"a key that is no ASCII", "n\xc3\xa9=1", NULL},
		{"a percent sign at the end", "a=1%", NULL},
		{"one digit at the end", "a=1%2", NULL},
		{"no digits", "a=%zz", NULL},
		{"a line break would be another header field", "a=1%0d%0ab: 2", NULL},
		{"a NUL would end the value", "a=1%002", NULL},
		{"a control character as it is", "a=\x1b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text have;
		struct pairs p;
		int err = pairs_parse(&p, rows[i].list);

		text_init(&have);
		show(&have, &p);
		if (err != (rows[i].want ? 0 : -EINVAL) ||
		    strcmp(have.ptr, rows[i].want ? rows[i].want : "") != 0)
			fail_msg("%s: %d, %s", rows[i].why, err, have.ptr);
		text_release(&have);
		pairs_release(&p);
	}
}

static void test_limits(void **state)
{
	struct text list;
	struct pairs p;

	(void)state;
	text_init(&list);
	for (int i = 0; i < PAIRS_MAX; i++)
		text_addf(&list, "key%d=%d,", i, i);
	assert_int_equal(pairs_parse(&p, list.ptr), 0);
	assert_int_equal(p.count, PAIRS_MAX);
	assert_string_equal(pairs_find(&p, "key63"), "63");
	assert_null(pairs_find(&p, "key64"));
	pairs_release(&p);
	text_add(&list, "one=more");
	assert_int_equal(pairs_parse(&p, list.ptr), -EINVAL);
	text_clear(&list);
	text_add(&list, "a=");
	while (list.len < PAIRS_BYTES_MAX)
		text_add_char(&list, 'x');
	assert_int_equal(pairs_parse(&p, list.ptr), 0);
	pairs_release(&p);
	text_add_char(&list, 'x');
	assert_int_equal(pairs_parse(&p, list.ptr), -EINVAL);
	assert_int_equal(p.count, 0);
	pairs_release(&p);
	text_release(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
