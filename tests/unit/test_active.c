/* SPDX-License-Identifier: Apache-2.0 */
/* Each key has its cell, and a cell in use belongs to one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/method.h"
#include "txn/active.h"

static const char get[] = "GET";
static const char put[] = "PUT";

static void test_one_cell_for_each_key(void **state)
{
	struct actives all = {0};
	struct active *a = actives_find(&all, ROLE_SERVER, 1, get, false);

	(void)state;
	a->count = 1;
	assert_ptr_equal(actives_find(&all, ROLE_SERVER, 1, get, false), a);
	assert_ptr_not_equal(actives_find(&all, ROLE_CLIENT, 1, get, false), a);
	assert_ptr_not_equal(actives_find(&all, ROLE_SERVER, 2, get, false), a);
	assert_ptr_not_equal(actives_find(&all, ROLE_SERVER, 1, put, false), a);
	assert_ptr_not_equal(actives_find(&all, ROLE_SERVER, 1, get, true), a);
	assert_true(actives_find(&all, ROLE_SERVER, 1, get, true)->is_tls);
}

static void test_unused_cells_go_to_others(void **state)
{
	struct actives all = {0};
	struct active *third = NULL;
	struct active *rest;
	struct active *a;

	(void)state;
	for (uint64_t i = 0; i < ACTIVE_CELLS; i++) {
		a = actives_find(&all, ROLE_SERVER, i, get, false);
		assert_true(active_is(a, ROLE_SERVER, i, get, false));
		a->count = 1;
		if (i == 3)
			third = a;
	}
	rest = actives_find(&all, ROLE_SERVER, 1000, get, false);
	assert_string_equal(rest->known_method, METHOD_OTHER);
	rest->count = 1;
	assert_ptr_equal(actives_find(&all, ROLE_CLIENT, 1001, put, false), rest);
	assert_int_equal(rest->count, 1);

	third->count = 0;
	a = actives_find(&all, ROLE_CLIENT, 1001, put, false);
	assert_ptr_equal(a, third);
	assert_true(active_is(a, ROLE_CLIENT, 1001, put, false));
	assert_int_equal(a->count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_cell_for_each_key),
		cmocka_unit_test(test_unused_cells_go_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
