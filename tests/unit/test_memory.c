/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory budget: charges and credits cancel out, both bounds hold, and eviction makes room for
 * everyone but the account that asks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"

#define ACCOUNTS 20
#define CAP	 (64u << 10)
/* malloc() rounds up: two headers and an alignment. */
#define SLACK 64u

struct fixture {
	struct memory_budget budget;
	struct memory_account account[ACCOUNTS];
	void *block[ACCOUNTS];
	unsigned evictions;
	bool allocates; /* an eviction asks for memory itself */
};

/* The first account that has something. */
static bool evict(void *ctx, const struct memory_account *keep)
{
	struct fixture *f = ctx;

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		if (&f->account[i] == keep || !f->account[i].used)
			continue;
		if (f->allocates)
			assert_null(memory_alloc(&f->account[i], f->budget.account_cap / 2));
		memory_free(&f->account[i], f->block[i]);
		f->block[i] = NULL;
		f->evictions++;
		return true;
	}
	return false;
}

static void set_up(struct fixture *f)
{
	*f = (struct fixture){0};
	memory_budget_init(&f->budget, CAP);
	f->budget.evict = evict;
	f->budget.ctx = f;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		f->account[i].budget = &f->budget;
}

static void tear_down(struct fixture *f)
{
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		memory_free(&f->account[i], f->block[i]);
		assert_int_equal(f->account[i].used, 0);
	}
	assert_int_equal(f->budget.used, 0);
}

static void test_sums(void **state)
{
	struct fixture f;
	void *p;
	void *q;

	(void)state;
	set_up(&f);
	p = memory_alloc(&f.account[0], 100);
	assert_in_range(f.account[0].used, 100, 100 + SLACK);
	q = memory_calloc(&f.account[1], 10, 10);
	assert_memory_equal(q, (char[100]){0}, 100);
	assert_int_equal(f.budget.used, f.account[0].used + f.account[1].used);
	p = memory_realloc(&f.account[0], p, 1000);
	assert_in_range(f.account[0].used, 1000, 1000 + SLACK);
	p = memory_realloc(&f.account[0], p, 10);
	assert_true(memory_charge(&f.account[0], 77));
	assert_int_equal(f.budget.used, f.account[0].used + f.account[1].used);
	memory_credit(&f.account[0], 77);
	memory_free(&f.account[0], p);
	memory_free(&f.account[1], q);
	memory_free(&f.account[1], NULL);
	assert_int_equal(f.budget.refused, 0);
	tear_down(&f);
}

static void test_one_account_has_its_share(void **state)
{
	struct fixture f;
	size_t share = CAP / MEMORY_SHARES;

	(void)state;
	set_up(&f);
	assert_null(memory_alloc(&f.account[0], share));
	assert_false(memory_charge(&f.account[0], share + 1));
	assert_false(memory_charge(&f.account[0], SIZE_MAX));
	f.block[0] = memory_alloc(&f.account[0], share / 2);
	assert_non_null(f.block[0]);
	memset(f.block[0], 7, share / 2);
	/* What there is stays as it is when it cannot grow. */
	assert_null(memory_realloc(&f.account[0], f.block[0], share));
	assert_int_equal(((char *)f.block[0])[share / 2 - 1], 7);
	assert_int_equal(f.budget.refused, 4);
	assert_int_equal(f.evictions, 0);
	tear_down(&f);
}

static void fill(struct fixture *f)
{
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		f->block[i] = memory_alloc(&f->account[i], CAP / MEMORY_SHARES - SLACK);
		assert_non_null(f->block[i]);
		assert_true(f->budget.used <= CAP + SLACK);
	}
}

static void test_others_make_room(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	fill(&f);
	assert_in_range(f.evictions, ACCOUNTS - MEMORY_SHARES, ACCOUNTS - MEMORY_SHARES + 1);
	assert_int_equal(f.budget.refused, 0);
	tear_down(&f);
}

static void test_an_eviction_evicts_nobody(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	f.allocates = true;
	fill(&f);
	assert_true(f.evictions > 0);
	assert_int_equal(f.budget.refused, f.evictions);
	tear_down(&f);
}

static void test_nobody_to_evict(void **state)
{
	struct fixture f;
	unsigned got = 0;

	(void)state;
	set_up(&f);
	f.budget.evict = NULL;
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		f.block[i] = memory_alloc(&f.account[i], CAP / MEMORY_SHARES - SLACK);
		got += f.block[i] != NULL;
	}
	assert_in_range(got, MEMORY_SHARES, ACCOUNTS - 1);
	assert_int_equal(f.budget.refused, ACCOUNTS - got);
	assert_true(f.budget.used <= CAP + SLACK);
	tear_down(&f);
}

static void test_without_account(void **state)
{
	struct memory_account account = {.budget = NULL};
	void *p = memory_alloc(NULL, 10);
	void *q = memory_calloc(&account, 1, 10);

	(void)state;
	p = memory_realloc(NULL, p, 20);
	assert_non_null(p);
	assert_non_null(q);
	assert_true(memory_charge(NULL, SIZE_MAX));
	memory_free(NULL, p);
	memory_free(&account, q);
	assert_int_equal(account.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_one_account_has_its_share),
		cmocka_unit_test(test_others_make_room),
		cmocka_unit_test(test_an_eviction_evicts_nobody),
		cmocka_unit_test(test_nobody_to_evict),
		cmocka_unit_test(test_without_account),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
