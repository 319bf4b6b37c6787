/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the kernel become lines: names, sums, errors, quantiles; and both become text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/syscall_list.h"
#include "cmd/syscall_text.h"

#define EXEC_TIME 1000

static uint32_t call_of(const char *name)
{
	for (uint32_t i = 0; i < syscall_count; i++)
		if (strcmp(syscall_name(i), name) == 0)
			return i;
	fail_msg("%s is not counted", name);
	return 0;
}

/* A row of one thread of a process that began with its main thread. */
static struct syscall_row row(uint32_t process, uint32_t thread, const char *call, uint64_t count)
{
	struct syscall_row r = {
		.key = {.thread_started_ns = EXEC_TIME + thread,
			.tid = thread,
			.call = call_of(call)},
		.counts = {.count = count,
			   .process = process,
			   .process_started_ns = EXEC_TIME + process,
			   .shown_process = process % 1000,
			   .shown_thread = thread % 1000,
			   .target = 1,
			   .process_name = "app",
			   .thread_name = "app"},
	};

	r.counts.bucket[1] = (uint32_t)count;
	return r;
}

static struct syscall_error error_of(const struct syscall_row *r, uint32_t number, uint64_t count)
{
	return (struct syscall_error){.key = r->key, .error = number, .count = count};
}

static void make(struct syscall_report *r, struct syscall_counts *counts, enum syscall_by by,
		 enum syscall_sort sort)
{
	assert_int_equal(syscall_report_make(r, counts, by, sort), 0);
}

/* The first duration of a bucket is the end of the one before; they grow by at most a quarter. */
static void test_buckets(void **state)
{
	(void)state;
	assert_int_equal(syscall_bucket_ns(0), 0);
	assert_int_equal(syscall_bucket_ns(1), 1 << SL_CALL_FIRST_BITS);
	assert_int_equal(syscall_bucket_ns(SL_CALL_BUCKETS), UINT64_C(1) << SL_CALL_LAST_BITS);
	for (size_t i = 2; i <= SL_CALL_BUCKETS; i++) {
		uint64_t before = syscall_bucket_ns(i - 1);

		assert_true(syscall_bucket_ns(i) > before);
		assert_true(syscall_bucket_ns(i) - before <= before / 4);
	}
}

static void test_quantiles(void **state)
{
	struct syscall_line line = {.calls = 100, .max_ns = 3000000};

	(void)state;
	line.bucket[0] = 50;
	line.bucket[5] = 49; /* 256 to 320 ns */
	line.bucket[60] = 1;
	assert_int_equal(syscall_quantile_ns(&line, .5), 64);
	assert_int_equal(syscall_quantile_ns(&line, .51), 288);
	assert_int_equal(syscall_quantile_ns(&line, .99), 288);
	assert_int_equal(syscall_quantile_ns(&line, 1), 3000000);
	line = (struct syscall_line){0};
	assert_int_equal(syscall_quantile_ns(&line, .5), 0);
	line = (struct syscall_line){.calls = 1, .max_ns = UINT64_C(1) << 40};
	line.bucket[SL_CALL_BUCKETS - 1] = 1;
	assert_int_equal(syscall_quantile_ns(&line, .5), UINT64_C(1) << 40);
}

/* A row has the names of its last change: a thread has those that were read last. */
static void test_names(void **state)
{
	struct syscall_row rows[] = {row(10, 10, "read", 1), row(10, 11, "read", 1),
				     row(10, 11, "write", 1)};
	struct syscall_counts counts = {.rows = rows, .row_count = 3};
	struct syscall_report r;

	(void)state;
	memcpy(rows[1].counts.thread_name, "worker", 7);
	memcpy(rows[1].counts.process_name, "server", 7);
	rows[1].counts.named_ns = 7;
	make(&r, &counts, SYSCALL_BY_THREAD, SYSCALL_SORT_PROCESS);
	assert_int_equal(r.line_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(r.lines[i].process_name, "server");
	assert_string_equal(r.lines[0].thread_name, "app");
	assert_string_equal(r.lines[1].thread_name, "worker");
	assert_string_equal(r.lines[2].thread_name, "worker");
	syscall_report_release(&r);
}

/* A pid that is used again is another process. */
static void test_by_process(void **state)
{
	struct syscall_row rows[] = {row(10, 10, "read", 5), row(10, 11, "read", 7),
				     row(10, 11, "write", 1), row(10, 10, "read", 100)};
	struct syscall_error errors[] = {error_of(&rows[0], EAGAIN, 2),
					 error_of(&rows[1], EAGAIN, 1),
					 error_of(&rows[1], EPIPE, 1)};
	struct syscall_counts counts = {
		.rows = rows, .row_count = 4, .errors = errors, .error_count = 3};
	struct syscall_report r;

	(void)state;
	rows[0].counts.errors = 2;
	rows[1].counts.errors = 5; /* for three of them there was no room */
	rows[1].open_ns = 9;
	rows[3].counts.process_started_ns = rows[3].key.thread_started_ns = 5000000;
	make(&r, &counts, SYSCALL_BY_PROCESS, SYSCALL_SORT_CALLS);
	assert_int_equal(r.line_count, 3);
	assert_int_equal(r.lines[0].calls, 100);
	assert_int_equal(r.lines[1].calls, 12);
	assert_int_equal(r.lines[1].thread, 0);
	assert_int_equal(r.lines[1].open, 1);
	assert_int_equal(r.lines[1].open_ns, 9);
	assert_int_equal(r.lines[1].bucket[1], 12);
	assert_int_equal(r.lines[1].error_count, 3);
	assert_int_equal(r.lines[1].error[0].error, EAGAIN);
	assert_int_equal(r.lines[1].error[0].count, 3);
	assert_int_equal(r.lines[1].error[1].error, EPIPE);
	assert_int_equal(r.lines[1].error[2].error, 0);
	assert_int_equal(r.lines[1].error[2].count, 3);
	assert_int_equal(r.lines[2].calls, 1);
	assert_int_equal(r.lines[0].error_count, 0);
	syscall_report_release(&r);
}

/* Kinds one after the other, whatever the order; threads without rows are in the sums. */
static void test_order(void **state)
{
	struct syscall_row rows[] = {row(10, 10, "ppoll", 1), row(10, 10, "read", 2),
				     row(10, 10, "io_uring_enter", 3), row(10, 10, "write", 4)};
	struct syscall_counts *counts = calloc(1, sizeof(*counts));
	struct syscall_report r;

	(void)state;
	assert_non_null(counts);
	rows[0].counts.time_ns = 1000;
	rows[1].counts.time_ns = 20;
	rows[3].counts.time_ns = 10;
	*counts = (struct syscall_counts){.rows = rows, .row_count = 4};
	counts->overflow[call_of("read")] =
		(struct sl_call_row){.count = 9, .errors = 1, .time_ns = 15};
	make(&r, counts, SYSCALL_BY_THREAD, SYSCALL_SORT_TIME);
	assert_int_equal(r.line_count, 5);
	assert_int_equal(r.lines[0].calls, 2);
	assert_true(r.lines[1].is_other);
	assert_int_equal(r.lines[1].calls, 9);
	assert_int_equal(r.lines[1].error_count, 1);
	assert_int_equal(r.lines[2].calls, 4);
	assert_int_equal(r.lines[3].calls, 1);
	assert_int_equal(r.lines[4].calls, 3);
	syscall_report_release(&r);
	free(counts);
}

static void test_error_names(void **state)
{
	char buf[SYSCALL_ERROR_SIZE];

	(void)state;
	assert_string_equal(syscall_error_name(EAGAIN, buf), "EAGAIN");
	assert_string_equal(syscall_error_name(512, buf), "ERESTARTSYS");
	assert_string_equal(syscall_error_name(515, buf), "515"); /* no name in the kernel, too */
	assert_string_equal(syscall_error_name(516, buf), "ERESTART_RESTARTBLOCK");
	assert_string_equal(syscall_error_name(4095, buf), "4095");
	assert_string_equal(syscall_error_name(0, buf), "OTHER");
}

static const char *container(const void *ctx, uint32_t target)
{
	return target == 1 ? ctx : NULL;
}

/* No byte of a name that a terminal or a reader of JSON would obey. */
static void test_text(void **state)
{
	struct syscall_row rows[] = {row(1010, 1011, "recvfrom", 5)};
	struct syscall_error errors[] = {error_of(&rows[0], EAGAIN, 2)};
	struct syscall_counts counts = {
		.rows = rows, .row_count = 1, .errors = errors, .error_count = 1};
	struct syscall_report r;
	struct syscall_text how = {.report = &r,
				   .container = container,
				   .ctx = "web",
				   .seconds = 2,
				   .lost = 3,
				   .filter_ns = 80,
				   .network_filter_ns = 120};
	struct text out;

	(void)state;
	memcpy(rows[0].counts.thread_name, "\x1b[2J\"\n", 7);
	memset(rows[0].counts.process_name, 'x', SL_CALL_COMM_SIZE); /* without an end */
	rows[0].counts.errors = 2;
	rows[0].counts.bytes = 70;
	rows[0].counts.time_ns = 800;
	rows[0].counts.max_ns = 200;
	rows[0].open_ns = 5000;
	make(&r, &counts, SYSCALL_BY_THREAD, SYSCALL_SORT_TIME);
	text_init(&out);
	syscall_table_add(&out, &how, 0);
	assert_string_equal(
		out.ptr,
		" 5 network system calls in 2.0 s: 800 ns in them, 0 ns of that in 0 that "
		"blocked\n\n"
		"   CONTAINER  PROCESS  THREAD  NAME                    CALL      CALLS  ERRORS  "
		"BYTES"
		"    TIME  BLOCKED     P50     P99     MAX\n"
		"   web             10      11  xxxxxxxxxxxxxxx/?[2J\"?  recvfrom      5       2   "
		"  70"
		"  800 ns     0 ns  144 ns  144 ns  200 ns  EAGAIN:2 open:1 since 5.00 us\n"
		"\n 3 calls are missing: more threads than can be followed\n");
	for (size_t columns = 20; columns < 120; columns++) {
		text_clear(&out);
		syscall_table_add(&out, &how, columns);
		assert_non_null(strstr(out.ptr, "   CONTAINER  PRO"));
	}
	text_clear(&out);
	syscall_json_add(&out, &how, true);
	assert_string_equal(
		out.ptr,
		"{\"kind\":\"network\",\"call\":\"recvfrom\",\"container\":\"web\",\"process\":10,"
		"\"process_name\":\"xxxxxxxxxxxxxxx\",\"thread\":11,"
		"\"thread_name\":\"\\\\x1b[2J\\\"\\\\x0a\",\"calls\":5,\"errors\":2,"
		"\"error_counts\":{\"EAGAIN\":2},\"bytes\":70,\"time_ns\":800,\"blocked\":0,"
		"\"blocked_ns\":0,\"open\":1,\"open_ns\":5000,\"p50_ns\":144,\"p90_ns\":144,"
		"\"p99_ns\":144,\"max_ns\":200,\"histogram\":[[128,5]]}\n"
		"{\"seconds\":2.000,\"lost\":3,\"calls_of_32bit_programs\":0,\"filter_ns\":80,"
		"\"network_filter_ns\":120}\n");
	text_release(&out);
	syscall_report_release(&r);
}

/* Each call has its number, and what is asked about it; no two share one. */
static void test_numbers(void **state)
{
	uint16_t numbers[SL_CALL_NUMBERS];
	uint32_t calls = 0;
	uint32_t starts = 0;

	(void)state;
	syscall_numbers(numbers, true);
	for (size_t i = 0; i < SL_CALL_NUMBERS; i++) {
		calls += (numbers[i] & SL_CALL_POSITION) != 0;
		starts += numbers[i] == SL_CALL_EXEC;
	}
	assert_int_equal(calls, syscall_count);
	assert_int_equal(starts, 2); /* execve, execveat */
	assert_false(syscall_has_bytes(call_of("close")));
	assert_true(syscall_has_bytes(call_of("recvmmsg")));
	assert_int_equal(syscall_kind(call_of("ppoll")), SYSCALL_WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets), cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_names),	cmocka_unit_test(test_by_process),
		cmocka_unit_test(test_order),	cmocka_unit_test(test_error_names),
		cmocka_unit_test(test_text),	cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
