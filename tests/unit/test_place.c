/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/place.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define ALL "         0          0 4294967295\n"

static void test_place(void **state)
{
	static const struct {
		const char *why;
		struct place_facts facts;
		enum place want;
	} rows[] = {
		{"a Pod with a shared PID namespace: the first process is pause",
		 {ALL, "/", "/../4f0e", 1, 0, 1},
		 PLACE_POD},
		{"kubectl debug --target: it is the application",
		 {ALL, "/", "/../../crio-4f0e.scope/container", 1, 0, 1},
		 PLACE_POD},
		{"without a cgroup namespace",
		 {ALL, "/kubepods/p/b", "/kubepods/p/a", 1, 0, 1},
		 PLACE_POD},
		{"not shared", {ALL, "/", "/", 1, 0, 1}, PLACE_ALONE},
		{"not shared, without a cgroup namespace",
		 {ALL, "/kubepods/p/b", "/kubepods/p/b", 1, 0, 1},
		 PLACE_ALONE},
		{"hostPID", {ALL, "/", "/../../../../init.scope", 1, 1, 1}, PLACE_HOST_PID},
		{"hostPID on a node that is a container itself",
		 {ALL, "/", "/../../../init.scope", 1, 0, 1},
		 PLACE_HOST_PID},
		{"hostPID, and the first process is in the root",
		 {ALL, "/", "/../../..", 1, 0, 1},
		 PLACE_HOST_PID},
		{"a machine", {ALL, "/user.slice", "/init.scope", 1, 1, 0}, PLACE_HOST},
		{"hostUsers: false",
		 {"         0     524288      65536\n", "/", "/../4f0e", 1, 0, 1},
		 PLACE_USER_NAMESPACE},
		{"the same range, shifted",
		 {"         0       1000 4294967295\n", "/", "/../4f0e", 1, 0, 1},
		 PLACE_USER_NAMESPACE},
		{"cgroup v1", {ALL, "", "", 0, 0, 1}, PLACE_CGROUP1},
		{"cgroup v1 with an empty v2 beside it", {ALL, "/", "/", 0, 0, 1}, PLACE_CGROUP1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum place place = place_of(&rows[i].facts);

		if (place != rows[i].want)
			fail_msg("%s: %d", rows[i].why, place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_place)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
