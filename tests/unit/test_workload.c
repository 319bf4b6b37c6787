/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/workload.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#define HASH	 "pod-template-hash=\"6d4cf56db6\"\n"
#define REVISION "controller-revision-hash=\"7f9c\"\n"
#define TEN	 "abcdefghi-"

static void test_names(void **state)
{
	static const struct {
		const char *why;
		const char *pod;
		const char *labels;
		const char *want; /* NULL: not known */
		enum workload_kind kind;
	} rows[] = {
		{"a Deployment", "shop-6d4cf56db6-x7k2p", "app=\"web\"\n" HASH, "shop",
		 WORKLOAD_DEPLOYMENT},
		{"its name has dashes", "my-shop-1-6d4cf56db6-x7k2p", HASH, "my-shop-1",
		 WORKLOAD_DEPLOYMENT},
		{"a hash that is not in the name", "shop-x7k2p", HASH, NULL, WORKLOAD_UNKNOWN},
		{"the hash is all of the name", "6d4cf56db6-x7k2p", HASH, NULL, WORKLOAD_UNKNOWN},
		{"a name that was cut has no whole hash", TEN TEN TEN TEN TEN "a-6d4cf5x7k2p", HASH,
		 NULL, WORKLOAD_UNKNOWN},
		{"a Job", "migrate-q9w8e", "batch.kubernetes.io/job-name=\"migrate\"\n", "migrate",
		 WORKLOAD_JOB},
		{"a Job of before 1.27", "migrate-q9w8e", "job-name=\"migrate\"\n", "migrate",
		 WORKLOAD_JOB},
		{"a CronJob", "report-28934561-q9w8e", "job-name=\"report-28934561\"\n", "report",
		 WORKLOAD_CRONJOB},
		{"an indexed Job", "a-0-q9w8e", "job-name=\"a\"\nx=\"y\"\n", "a", WORKLOAD_JOB},
		{"a Job whose name is a number", "28934561-q9w8e", "job-name=\"28934561\"\n",
		 "28934561", WORKLOAD_JOB},
		{"seven digits are no time", "r-2893456-q9w8e", "job-name=\"r-2893456\"\n",
		 "r-2893456", WORKLOAD_JOB},
		{"a StatefulSet", "db-10",
		 REVISION "statefulset.kubernetes.io/pod-name=\"db-10\"\n", "db",
		 WORKLOAD_STATEFULSET},
		{"a StatefulSet of 1.28", "my-db-0",
		 REVISION "apps.kubernetes.io/pod-index=\"0\"\n", "my-db", WORKLOAD_STATEFULSET},
		{"a DaemonSet", "agent-x7k2p", REVISION "pod-template-generation=\"1\"\n", "agent",
		 WORKLOAD_DAEMONSET},
		{"no controller", "alone", "app=\"web\"\n", NULL, WORKLOAD_UNKNOWN},
		{"no labels", "web-0", "", NULL, WORKLOAD_UNKNOWN},
		{"no name", "", HASH, NULL, WORKLOAD_UNKNOWN},
		{"a name that does not end as a DaemonSet's", "agent", REVISION, NULL,
		 WORKLOAD_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char labels[256];
		char found[IDENTITY_VALUE_MAX] = "";
		enum workload_kind kind;

		(void)strcpy(labels, rows[i].labels);
		kind = workload_find(rows[i].pod, labels, found);
		if (kind != rows[i].kind || strcmp(found, rows[i].want ? rows[i].want : "") != 0)
			fail_msg("%s: %s, kind %d", rows[i].why, found, (int)kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
