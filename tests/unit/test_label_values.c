/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that peers control are admitted by responses: requests for values that do not exist cannot
 * keep out what is served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "txn/label_values.h"

#define CAP	100
#define SCANNED 300

struct fixture {
	struct memory_budget budget;
	struct memory_account account;
	struct label_values *values;
};

static void set_up(struct fixture *f, size_t cap)
{
	memory_budget_init(&f->budget, 1 << 20);
	f->account = (struct memory_account){.budget = &f->budget};
	f->values = label_values_new(cap);
	assert_non_null(f->values);
}

/* Nothing is held once all exchanges have ended. */
static void tear_down(struct fixture *f)
{
	assert_int_equal(f->account.used, 0);
	label_values_free(f->values);
}

/* One exchange; true if it got its own label. */
static bool ask(struct fixture *f, enum role role, const char *value, enum label_evidence evidence)
{
	bool is_candidate;
	const char *got =
		label_values_find(f->values, role, span_of(value), &f->account, &is_candidate);

	if (is_candidate)
		got = label_values_decide(f->values, role, got, &f->account, evidence);
	assert_string_equal(got, got == label_other ? LABEL_OTHER : value);
	return got != label_other;
}

static bool ask_number(struct fixture *f, const char *prefix, unsigned n,
		       enum label_evidence evidence)
{
	char value[32];

	(void)snprintf(value, sizeof(value), "%s%u", prefix, n);
	return ask(f, ROLE_SERVER, value, evidence);
}

static const struct {
	const char *why;
	enum label_evidence evidence;
	unsigned times; /* that each value is asked for */
	unsigned least;
	unsigned most; /* places that are taken */
} floods[] = {
	{"a scanner's 404", LABEL_REFUSED, 1, 10, 10},
	{"a scanner that repeats itself", LABEL_REFUSED, 10, 50, 50},
	{"a proxy that redirects all, or asks for a login", LABEL_NO_EVIDENCE, 1, 50, 50},
	{"the same, again and again", LABEL_NO_EVIDENCE, 20, 50, 50},
	{"a server that answers 200 to anything", LABEL_SERVED, 1, 75, 75},
};

/* What is served, and appears after the flood, has its own label all the same. */
static void test_floods(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(floods) / sizeof(*floods); i++) {
		unsigned left = CAP - floods[i].most;
		struct fixture f;
		unsigned taken = 0;

		set_up(&f, CAP);
		for (unsigned n = 0; n < SCANNED; n++) {
			bool is_own = false;

			for (unsigned k = 0; k < floods[i].times; k++)
				is_own |= ask_number(&f, "/scan", n, floods[i].evidence);
			taken += is_own;
		}
		if (taken < floods[i].least || taken > floods[i].most)
			fail_msg("%s takes %u places", floods[i].why, taken);
		for (unsigned n = 0; n < left; n++) {
			bool is_own = false;

			for (unsigned k = 0; k < 4; k++)
				is_own = ask_number(&f, "/served", n, LABEL_SERVED);
			if (!is_own)
				fail_msg("after %s, /served%u has no label", floods[i].why, n);
		}
		assert_false(ask_number(&f, "/late", 0, LABEL_SERVED));
		assert_true(label_values_are_full(f.values, ROLE_SERVER));
		assert_false(label_values_are_full(f.values, ROLE_CLIENT));
		tear_down(&f);
	}
}

static void test_recurrence(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, CAP);
	for (unsigned n = 0; n < SCANNED; n++)
		(void)ask_number(&f, "/scan", n, LABEL_REFUSED);
	/* What is asked for often is a part of the service, though it is never there. */
	for (unsigned k = 1; k < 8; k++)
		assert_false(ask(&f, ROLE_SERVER, "/favicon.ico", LABEL_REFUSED));
	assert_true(ask(&f, ROLE_SERVER, "/favicon.ico", LABEL_REFUSED));
	assert_true(ask(&f, ROLE_SERVER, "/favicon.ico", LABEL_REFUSED));
	/* Once is enough for what is there. */
	assert_true(ask(&f, ROLE_SERVER, "/orders", LABEL_SERVED));
	assert_true(ask(&f, ROLE_SERVER, "/orders", LABEL_REFUSED));
	tear_down(&f);
}

static void test_directions(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, 1);
	assert_true(ask(&f, ROLE_SERVER, "/a", LABEL_SERVED));
	assert_false(ask(&f, ROLE_SERVER, "/b", LABEL_SERVED));
	assert_true(ask(&f, ROLE_CLIENT, "/b", LABEL_SERVED));
	assert_false(ask(&f, ROLE_CLIENT, "/a", LABEL_SERVED));
	assert_int_equal(label_values_overflowed(f.values), 2);
	tear_down(&f);
}

/* Several exchanges hold a candidate at once; one of them admits it for all. */
static void test_overlapping(void **state)
{
	struct fixture f;
	const char *first;
	const char *second;
	const char *third;
	bool is_candidate;
	struct span value = span_of("/a");

	(void)state;
	set_up(&f, CAP);
	first = label_values_find(f.values, ROLE_SERVER, value, &f.account, &is_candidate);
	assert_true(is_candidate);
	second = label_values_find(f.values, ROLE_SERVER, value, &f.account, &is_candidate);
	assert_true(is_candidate);
	third = label_values_find(f.values, ROLE_SERVER, value, &f.account, &is_candidate);
	assert_true(is_candidate);
	assert_ptr_equal(first, second);
	label_values_drop(f.values, third, &f.account);
	first = label_values_decide(f.values, ROLE_SERVER, first, &f.account, LABEL_SERVED);
	assert_string_equal(first, "/a");
	second = label_values_decide(f.values, ROLE_SERVER, second, &f.account, LABEL_REFUSED);
	assert_ptr_equal(first, second);
	third = label_values_find(f.values, ROLE_SERVER, value, &f.account, &is_candidate);
	assert_false(is_candidate);
	assert_ptr_equal(first, third);
	tear_down(&f);
}

/* A candidate outlives a flood for as long as its exchange lasts. */
static void test_slow(void **state)
{
	struct fixture f;
	bool is_candidate;
	const char *slow;

	(void)state;
	set_up(&f, CAP);
	slow = label_values_find(f.values, ROLE_SERVER, span_of("/slow"), &f.account,
				 &is_candidate);
	for (unsigned n = 0; n < 10 * SCANNED; n++)
		(void)ask_number(&f, "/scan", n, LABEL_REFUSED);
	slow = label_values_decide(f.values, ROLE_SERVER, slow, &f.account, LABEL_SERVED);
	assert_string_equal(slow, "/slow");
	tear_down(&f);
}

/* Open exchanges that ask for ever new values take memory of their own connection. */
static void test_memory(void **state)
{
	static const char *held[100000];
	struct fixture f;
	bool is_candidate;
	unsigned count = 0;
	char value[32];

	(void)state;
	set_up(&f, CAP);
	for (unsigned n = 0; n < 100000; n++) {
		(void)snprintf(value, sizeof(value), "/open%u", n);
		held[count] = label_values_find(f.values, ROLE_SERVER, span_of(value), &f.account,
						&is_candidate);
		count += is_candidate;
		assert_true(f.account.used <= f.budget.account_cap);
	}
	assert_in_range(count, 100, 1000);
	assert_int_equal(label_values_overflowed(f.values), 100000 - count);
	while (count)
		label_values_drop(f.values, held[--count], &f.account);
	tear_down(&f);
}

static void test_pinned(void **state)
{
	struct fixture f;
	const char *name;
	bool is_new;

	(void)state;
	set_up(&f, 0);
	name = label_values_keep(f.values, span_of("/own/{id}"), &is_new);
	assert_true(is_new);
	assert_false(ask(&f, ROLE_SERVER, "/own/{id}", LABEL_SERVED));
	label_values_pin(name, true);
	assert_true(ask(&f, ROLE_SERVER, "/own/{id}", LABEL_REFUSED));
	assert_true(ask(&f, ROLE_CLIENT, "/own/{id}", LABEL_REFUSED));
	label_values_pin(name, false);
	assert_false(ask(&f, ROLE_SERVER, "/own/{id}", LABEL_SERVED));
	assert_ptr_equal(label_values_keep(f.values, span_of("/own/{id}"), &is_new), name);
	assert_false(is_new);
	tear_down(&f);
}

static void test_answers(void **state)
{
	static const struct {
		uint16_t status;
		enum label_evidence want;
	} http[] = {{0, LABEL_NO_EVIDENCE},   {1, LABEL_NO_EVIDENCE},	{101, LABEL_SERVED},
		    {200, LABEL_SERVED},      {206, LABEL_SERVED},	{299, LABEL_SERVED},
		    {301, LABEL_NO_EVIDENCE}, {304, LABEL_SERVED},	{400, LABEL_NO_EVIDENCE},
		    {401, LABEL_NO_EVIDENCE}, {404, LABEL_REFUSED},	{405, LABEL_REFUSED},
		    {410, LABEL_REFUSED},     {429, LABEL_NO_EVIDENCE}, {500, LABEL_NO_EVIDENCE},
		    {501, LABEL_REFUSED},     {999, LABEL_NO_EVIDENCE}};

	(void)state;
	for (unsigned i = 0; i < sizeof(http) / sizeof(*http); i++)
		assert_int_equal(label_evidence_of_http(http[i].status), http[i].want);
	assert_int_equal(label_evidence_of_grpc(0), LABEL_SERVED);
	assert_int_equal(label_evidence_of_grpc(12), LABEL_REFUSED);
	assert_int_equal(label_evidence_of_grpc(5), LABEL_NO_EVIDENCE);
	assert_int_equal(label_evidence_of_grpc(UINT16_MAX), LABEL_NO_EVIDENCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floods),	   cmocka_unit_test(test_recurrence),
		cmocka_unit_test(test_directions), cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_slow),	   cmocka_unit_test(test_memory),
		cmocka_unit_test(test_pinned),	   cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests_name("label_values", tests, NULL, NULL);
}
