/* SPDX-License-Identifier: Apache-2.0 */
/* Which statuses are label values, whatever a server answers with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/status_labels.h"
#include "proto/grpc.h"

/* IANA's registry, without the interim ones. */
static const char registered[] =
	"200 201 202 203 204 205 206 207 208 226 300 301 302 303 304 305 306 307 308 400 401 402 "
	"403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 418 421 422 423 424 425 426 "
	"428 429 431 451 500 501 502 503 504 505 506 507 508 510 511";

struct fixture {
	struct registry *registry;
	struct status_labels *labels;
	char buf[STATUS_LABEL_SIZE];
};

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(100);
	f.labels = status_labels_new(f.registry);
	*state = &f;
	return f.labels ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	status_labels_free(f->labels);
	registry_free(f->registry);
	return 0;
}

static const char *http(struct fixture *f, enum role role, unsigned status)
{
	struct transaction t = {.role = role, .http.status = (uint16_t)status};

	return status_labels_find(f->labels, &t, f->buf);
}

static const char *rpc(struct fixture *f, enum role role, unsigned status)
{
	struct transaction t = {
		.protocol = TXN_GRPC, .role = role, .grpc.status = (uint16_t)status};

	return status_labels_find(f->labels, &t, f->buf);
}

static void store_value(void *ctx, const struct family_desc *desc,
			const struct series *const *series, size_t count)
{
	assert_string_equal(desc->name, "sidelight_statuses_overflowed_total");
	assert_int_equal(count, 1);
	*(uint64_t *)ctx = (uint64_t)series[0]->value;
}

static uint64_t overflowed(const struct fixture *f)
{
	uint64_t value = UINT64_MAX;

	registry_each(f->registry, store_value, &value);
	return value;
}

/* Asks for `count` statuses from `first` on, which are in no registry, and expects digits. */
static void expect_digits(struct fixture *f,
			  const char *(*find)(struct fixture *, enum role, unsigned),
			  enum role role, unsigned first, unsigned count)
{
	char want[STATUS_LABEL_SIZE];

	for (unsigned status = first; status < first + count; status++) {
		(void)snprintf(want, sizeof(want), "%u", status);
		assert_string_equal(find(f, role, status), want);
	}
}

static void test_first_come(void **state)
{
	struct fixture *f = *state;

	expect_digits(f, http, ROLE_SERVER, 700, STATUS_LABELS_OTHERS);
	assert_int_equal(overflowed(f), 0);
	for (unsigned status = 700 + STATUS_LABELS_OTHERS; status <= 999; status++)
		assert_string_equal(http(f, ROLE_SERVER, status), "_OTHER");
	assert_string_equal(http(f, ROLE_SERVER, 65535), "_OTHER");
	assert_int_equal(overflowed(f), 300 - STATUS_LABELS_OTHERS + 1);
	/* Each request counts, and those that came first stay. */
	assert_string_equal(http(f, ROLE_SERVER, 999), "_OTHER");
	expect_digits(f, http, ROLE_SERVER, 700, STATUS_LABELS_OTHERS);
	assert_int_equal(overflowed(f), 300 - STATUS_LABELS_OTHERS + 2);
}

/* Of 200 to 999 exactly the registered ones have a value when nothing else has a place. */
static void test_registered(void **state)
{
	struct fixture *f = *state;
	unsigned found = 0;

	for (int role = ROLE_SERVER; role <= ROLE_CLIENT; role++) {
		expect_digits(f, http, (enum role)role, 980, STATUS_LABELS_OTHERS);
		for (unsigned status = 200; status < 980; status++) {
			char want[STATUS_LABEL_SIZE];

			(void)snprintf(want, sizeof(want), "%u", status);
			assert_string_equal(http(f, (enum role)role, status),
					    strstr(registered, want) ? want : "_OTHER");
			found += strstr(registered, want) != NULL;
		}
	}
	assert_int_equal(found, 2 * (sizeof(registered) / sizeof("200")));
	assert_int_equal(overflowed(f), 2 * 780 - found);
}

static void test_grpc_names(void **state)
{
	struct fixture *f = *state;

	expect_digits(f, rpc, ROLE_CLIENT, 17, STATUS_LABELS_OTHERS);
	for (unsigned status = 17 + STATUS_LABELS_OTHERS; status <= GRPC_STATUS_MAX; status++)
		assert_string_equal(rpc(f, ROLE_CLIENT, status), "_OTHER");
	assert_int_equal(overflowed(f), GRPC_STATUS_MAX - 16 - STATUS_LABELS_OTHERS);
	for (unsigned status = 0; status <= 16; status++) {
		char digits[GRPC_STATUS_SIZE];

		assert_string_equal(rpc(f, ROLE_CLIENT, status), grpc_status_name(status, digits));
	}
	assert_string_equal(rpc(f, ROLE_CLIENT, 16), "UNAUTHENTICATED");
	assert_string_equal(rpc(f, ROLE_CLIENT, GRPC_STATUS_HIDDEN), "unknown");
	assert_int_equal(overflowed(f), GRPC_STATUS_MAX - 16 - STATUS_LABELS_OTHERS);
}

/* An upstream takes nothing from the requests that are served, nor one protocol from another. */
static void test_apart(void **state)
{
	struct fixture *f = *state;

	expect_digits(f, http, ROLE_CLIENT, 600, STATUS_LABELS_OTHERS);
	expect_digits(f, http, ROLE_SERVER, 700, STATUS_LABELS_OTHERS);
	expect_digits(f, rpc, ROLE_CLIENT, 600, STATUS_LABELS_OTHERS);
	expect_digits(f, rpc, ROLE_SERVER, 700, STATUS_LABELS_OTHERS);
	assert_int_equal(overflowed(f), 0);
	assert_string_equal(http(f, ROLE_CLIENT, 700), "_OTHER");
	assert_string_equal(http(f, ROLE_SERVER, 600), "_OTHER");
	assert_string_equal(rpc(f, ROLE_CLIENT, 700), "_OTHER");
	assert_string_equal(rpc(f, ROLE_SERVER, 600), "_OTHER");
	assert_int_equal(overflowed(f), 4);
}

static void test_no_status(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(http(f, ROLE_SERVER, 0), "");
	assert_string_equal(http(f, ROLE_SERVER, TXN_STATUS_UNKNOWN), "unknown");
	assert_string_equal(http(f, ROLE_SERVER, 101), "101");
	expect_digits(f, http, ROLE_SERVER, 700, STATUS_LABELS_OTHERS); /* they took no place */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_come), TEST(test_registered), TEST(test_grpc_names),
		TEST(test_apart),      TEST(test_no_status),
	};

	return cmocka_run_group_tests_name("status_labels", tests, NULL, NULL);
}
