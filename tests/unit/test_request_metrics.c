/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of processes are wanted of a kernel that does not tell processes: one line says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "agent/request_metrics.h"
#include "base/log.h"
#include "stderr_lines.h"

/* Sends so many records; process 0: the kernel does not tell it. Returns the lines of the log. */
static unsigned send_records(struct request_metrics *m, unsigned count, uint32_t process)
{
	struct stderr_lines lines = stderr_begin();
	struct event ev = {
		.kind = EVENT_DATA,
		.time_ns = 1,
		.data = {.dir = DIR_EGRESS, .data = {"HTTP", 4}, .tgid = process},
	};
	char first[256];
	unsigned said;

	for (unsigned i = 0; i < count; i++)
		request_metrics_event(m, &ev);
	said = stderr_end(&lines, first, sizeof(first));
	if (said)
		assert_non_null(strstr(first, "--by process"));
	return said;
}

static void begin(struct request_metrics *m, struct registry *r, struct link *link)
{
	const struct request_metrics_options options = {.has_processes = true, .link = link};

	assert_non_null(r);
	*m = (struct request_metrics){0};
	assert_int_equal(request_metrics_init(m, r, &options), 0);
}

static void test_no_process(void **state)
{
	struct registry *r = registry_new(100);
	struct request_metrics m;

	(void)state;
	begin(&m, r, NULL);
	assert_int_equal(send_records(&m, 99, 0), 0);
	assert_int_equal(send_records(&m, 1000, 0), 1);
	request_metrics_release(&m);
	registry_free(r);
}

/* Some records are sent when an acknowledgement comes, in the place of any process. */
static void test_a_process(void **state)
{
	struct registry *r = registry_new(100);
	struct link lost = {.is_lost = true};
	struct request_metrics m;

	(void)state;
	begin(&m, r, &lost);
	assert_int_equal(send_records(&m, 1, 7), 0);
	assert_int_equal(send_records(&m, 1000, 0), 0);
	request_metrics_release(&m);
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_process),
					   cmocka_unit_test(test_a_process)};

	return cmocka_run_group_tests_name("request_metrics", tests, NULL, NULL);
}
