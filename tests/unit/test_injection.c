/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/injection.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "webhook/carry.h"
#include "webhook/manifest.h"
#include "webhook/owner.h"

static struct values defaults;

static int set_defaults(void **state)
{
	(void)state;
	for (int i = 0; i < PARAM_MAX; i++)
		defaults.of[i] = parameter_table[i].fallback;
	return 0;
}

/* "op path" of each operation, a line each. */
static void list_operations(const struct patch *p, struct text *out)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, p->operations)
	{
		text_addf(out, "%s %s\n",
			  cJSON_GetObjectItemCaseSensitive(entry, "op")->valuestring,
			  cJSON_GetObjectItemCaseSensitive(entry, "path")->valuestring);
	}
}

#define ASKS   "\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":\"true\"}}"
#define STATUS "add /metadata/annotations/sidelight.dev~1status\n"
#define SHARED "add /spec/shareProcessNamespace\n"

static const struct {
	const char *why;
	const char *pod;
	enum outcome want;
	const char *operations;
} pods[] = {
	{"parents that are missing are made first", "{" ASKS ",\"spec\":{\"containers\":[]}}",
	 OUTCOME_INJECTED,
	 STATUS SHARED "add /spec/volumes\nadd /spec/volumes/-\nadd /spec/volumes/-\n"
		       "add /spec/initContainers\nadd /spec/initContainers/0\n"},
	{"lists that are there grow",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"volumes\":[{\"name\":\"v\"}],"
	 "\"initContainers\":[{\"name\":\"i\"}]}}",
	 OUTCOME_INJECTED,
	 STATUS SHARED "add /spec/volumes/-\nadd /spec/volumes/-\nadd /spec/initContainers/0\n"},
	{"null counts as missing",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"volumes\":null,\"initContainers\":null}}",
	 OUTCOME_INJECTED,
	 STATUS SHARED "add /spec/volumes\nadd /spec/volumes/-\nadd /spec/volumes/-\n"
		       "add /spec/initContainers\nadd /spec/initContainers/0\n"},
	{"our volumes are not added again",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"shareProcessNamespace\":true,"
	 "\"volumes\":[{\"name\":\"sidelight-podinfo\",\"downwardAPI\":{\"defaultMode\":420}},"
	 "{\"name\":\"sidelight-run\",\"emptyDir\":{\"medium\":\"Memory\"}}],"
	 "\"initContainers\":[]}}",
	 OUTCOME_INJECTED, STATUS "add /spec/initContainers/0\n"},
	{"a volume of our name with a content of its own would be refused by the guard",
	 "{" ASKS ",\"spec\":{\"containers\":[],"
	 "\"volumes\":[{\"name\":\"sidelight-podinfo\",\"emptyDir\":{}}]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"likewise one on a disk, in the place of the one in memory",
	 "{" ASKS ",\"spec\":{\"containers\":[],"
	 "\"volumes\":[{\"name\":\"sidelight-run\",\"emptyDir\":{}}]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"a volume of our name without any content",
	 "{" ASKS ",\"spec\":{\"containers\":[],"
	 "\"volumes\":[{\"name\":\"sidelight-podinfo\"}]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"an image of another repository",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":\"true\","
	 "\"sidelight.dev/image\":\"mine:1\"}},\"spec\":{\"containers\":[]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"a container of our name was injected if the status says so, whatever others made of it",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":\"true\","
	 "\"sidelight.dev/status\":\"injected\"}},"
	 "\"spec\":{\"containers\":[{\"name\":\"sidelight\"}]}}",
	 OUTCOME_PRESENT, ""},
	{"as an init container too",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":\"true\","
	 "\"sidelight.dev/status\":\"injected\"}},"
	 "\"spec\":{\"containers\":[],\"initContainers\":[{\"name\":\"sidelight\"}]}}",
	 OUTCOME_PRESENT, ""},
	{"without it the container is the Pod's own",
	 "{" ASKS ",\"spec\":{\"containers\":[{\"name\":\"sidelight\"}]}}", OUTCOME_SKIPPED,
	 STATUS},
	{"as an init container too",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"initContainers\":[{\"name\":\"sidelight\"}]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"an ordinary container comes last",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":\"true\","
	 "\"sidelight.dev/native\":\"false\"}},"
	 "\"spec\":{\"containers\":[{\"name\":\"a\"}],\"volumes\":[]}}",
	 OUTCOME_INJECTED,
	 STATUS SHARED "add /spec/volumes/-\nadd /spec/volumes/-\nadd /spec/containers/-\n"},
	{"an init container may hold the port as well",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"initContainers\":[{\"name\":\"p\","
	 "\"ports\":[{\"containerPort\":9465}]}]}}",
	 OUTCOME_SKIPPED, STATUS},
	{"said to be false is not left out",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"shareProcessNamespace\":false}}", OUTCOME_SKIPPED,
	 STATUS},
	{"a word that is not true",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":"
	 "\"yes\"}},\"spec\":{\"containers\":[]}}",
	 OUTCOME_UNASKED, ""},
	{"a truth that is no string",
	 "{\"metadata\":{\"annotations\":{\"sidelight.dev/inject\":"
	 "true}},\"spec\":{\"containers\":[]}}",
	 OUTCOME_UNASKED, ""},
	{"a list that is none is not overwritten",
	 "{" ASKS ",\"spec\":{\"containers\":[],\"volumes\":{}}}", OUTCOME_UNASKED, ""},
	{"no spec", "{" ASKS "}", OUTCOME_UNASKED, ""},
	{"nothing at all", "null", OUTCOME_UNASKED, ""},
};

static void test_pods(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pods) / sizeof(pods[0]); i++) {
		const struct injection in = {.defaults = &defaults};
		cJSON *pod = cJSON_Parse(pods[i].pod);
		cJSON *warnings = cJSON_CreateArray();
		enum outcome again;
		enum outcome got;
		struct text out;
		struct patch p;

		assert_non_null(pod);
		text_init(&out);
		patch_init(&p, "");
		got = injection_apply(&in, pod, &p, warnings);
		list_operations(&p, &out);
		if (got != pods[i].want || strcmp(out.ptr, pods[i].operations) != 0)
			fail_msg("%s: %d\n%s", pods[i].why, got, out.ptr);
		assert_int_equal(cJSON_GetArraySize(warnings), got == OUTCOME_SKIPPED);
		patch_release(&p);
		patch_init(&p, "");
		again = injection_apply(&in, pod, &p, warnings);
		assert_int_equal(patch_size(&p), 0);
		assert_int_equal(again, got == OUTCOME_INJECTED ? OUTCOME_PRESENT : got);
		patch_release(&p);
		text_release(&out);
		cJSON_Delete(warnings);
		cJSON_Delete(pod);
	}
}

#define ON "\"sidelight.dev/inject\":\"true\""

static const struct {
	const char *why;
	const char *said; /* annotations of the workload */
	const char *template; /* those of its template, before and after */
	const char *want;
	enum carry_outcome outcome;
	int warnings;
} workloads[] = {
	{"the wish alone", "{" ON "}", "{}", "{" ON ",\"sidelight.dev/carried\":\"inject\"}",
	 CARRY_CARRIED, 0},
	{"others are not ours", "{" ON ",\"a\":\"b\"}", "{\"c\":\"d\"}",
	 "{\"c\":\"d\"," ON ",\"sidelight.dev/carried\":\"inject\"}", CARRY_CARRIED, 0},
	{"without the wish nothing is carried", "{\"sidelight.dev/cpu\":\"1\"}", "{}", "{}",
	 CARRY_UNASKED, 0},
	{"carried before", "{" ON "}", "{" ON ",\"sidelight.dev/carried\":\"inject\"}",
	 "{" ON ",\"sidelight.dev/carried\":\"inject\"}", CARRY_UNCHANGED, 0},
	{"gone, and with it all that came with it", "{}",
	 "{" ON ",\"sidelight.dev/cpu\":\"1\",\"sidelight.dev/carried\":\"inject,cpu\"}", "{}",
	 CARRY_REMOVED, 0},
	{"the template's own stays when ours goes", "{}",
	 "{" ON ",\"sidelight.dev/cpu\":\"1\",\"sidelight.dev/carried\":\"cpu\"}", "{" ON "}",
	 CARRY_REMOVED, 0},
	{"the template's own wins", "{" ON ",\"sidelight.dev/cpu\":\"1\"}",
	 "{\"sidelight.dev/cpu\":\"2\"}",
	 "{\"sidelight.dev/cpu\":\"2\"," ON ",\"sidelight.dev/carried\":\"inject\"}", CARRY_CARRIED,
	 1},
	{"status and list are the webhook's",
	 "{" ON ",\"sidelight.dev/status\":\"x\","
	 "\"sidelight.dev/carried\":\"cpu\"}",
	 "{}", "{" ON ",\"sidelight.dev/carried\":\"inject\"}", CARRY_CARRIED, 0},
	{"a list of lies takes out no more than it names", "{}",
	 "{\"a\":\"b\",\"sidelight.dev/status\":\"s\",\"sidelight.dev/cpu\":\"1\","
	 "\"sidelight.dev/carried\":\",,a,status,carried,../cpu,\"}",
	 "{\"a\":\"b\",\"sidelight.dev/status\":\"s\",\"sidelight.dev/cpu\":\"1\"}", CARRY_REMOVED,
	 0},
	{"a value of the wrong type is not carried", "{" ON ",\"sidelight.dev/cpu\":1}", "{}",
	 "{" ON ",\"sidelight.dev/carried\":\"inject\"}", CARRY_CARRIED, 0},
	{"wrong values are passed on and reported: the Pod ignores them",
	 "{" ON ",\"sidelight.dev/cpu\":\"x\"}", "{}",
	 "{" ON ",\"sidelight.dev/cpu\":\"x\",\"sidelight.dev/carried\":\"inject,cpu\"}",
	 CARRY_CARRIED, 1},
};

static void test_workloads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		const struct injection in = {.defaults = &defaults};
		cJSON *warnings = cJSON_CreateArray();
		cJSON *annotations;
		cJSON *want = cJSON_Parse(workloads[i].want);
		enum carry_outcome outcome;
		struct text text;
		struct patch p;
		cJSON *object;

		text_init(&text);
		text_addf(&text,
			  "{\"metadata\":{\"annotations\":%s},\"spec\":{\"template\":{"
			  "\"metadata\":{\"annotations\":%s},\"spec\":{\"containers\":[]}}}}",
			  workloads[i].said, workloads[i].template);
		object = cJSON_Parse(text.ptr);
		assert_true(object && want);
		patch_init(&p, "");
		outcome = carry_apply(&in, "Deployment", false, object, &p, warnings);
		annotations = manifest_at(object, "/spec/template/metadata/annotations");
		if (outcome != workloads[i].outcome || !cJSON_Compare(annotations, want, true) ||
		    cJSON_GetArraySize(warnings) != workloads[i].warnings)
			fail_msg("%s: %d %s %s", workloads[i].why, outcome,
				 cJSON_Print(annotations), cJSON_Print(warnings));
		assert_false(p.has_failed);
		patch_release(&p);
		text_release(&text);
		cJSON_Delete(object);
		cJSON_Delete(want);
		cJSON_Delete(warnings);
	}
}

static void test_owner(void **state)
{
	static const struct {
		const char *metadata;
		const char *want;
	} rows[] = {
		{"{\"labels\":{\"pod-template-hash\":\"abc\"},\"ownerReferences\":[{\"kind\":"
		 "\"ReplicaSet\",\"name\":\"web-abc\",\"controller\":true}]}",
		 "web"},
		{"{\"labels\":{\"pod-template-hash\":\"abc\"},\"ownerReferences\":[{\"kind\":"
		 "\"ReplicaSet\",\"name\":\"-abc\",\"controller\":true}]}",
		 "-abc"},
		{"{\"labels\":{\"pod-template-hash\":\"\"},\"ownerReferences\":[{\"kind\":"
		 "\"ReplicaSet\",\"name\":\"web-\",\"controller\":true}]}",
		 "web-"},
		{"{\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"r-0123456789\","
		 "\"controller\":true}]}",
		 "r"},
		{"{\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"r-01234567890\","
		 "\"controller\":true}]}",
		 "r-01234567890"},
		{"{\"ownerReferences\":[{\"kind\":\"Node\",\"name\":\"n\"},{\"kind\":"
		 "\"DaemonSet\",\"name\":\"d\",\"controller\":true}]}",
		 "d"},
		{"{\"ownerReferences\":[{\"kind\":\"Job\",\"name\":\"j\"}]}", ""},
		{"{\"ownerReferences\":\"x\"}", ""},
		{"{\"ownerReferences\":[null,7,[],{\"controller\":true,\"name\":{}}]}", ""},
		{"null", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *metadata = cJSON_Parse(rows[i].metadata);

		if (!span_is(owner_workload(metadata), rows[i].want))
			fail_msg("%s: \"%.*s\"", rows[i].metadata,
				 SPAN_ARG(owner_workload(metadata)));
		cJSON_Delete(metadata);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_workloads),
		cmocka_unit_test(test_owner),
	};

	return cmocka_run_group_tests(tests, set_defaults, NULL);
}
