/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/patch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "webhook/template.h"

static void check_json(const cJSON *node, const char *want)
{
	char *got = cJSON_PrintUnformatted(node);

	assert_string_equal(got, want);
	free(got);
}

/* The document is changed, and the operations say how. */
static void test_operations(void **state)
{
	cJSON *document = cJSON_Parse("{\"a\":{\"x\":1},\"list\":[1]}");
	cJSON *a = cJSON_GetObjectItemCaseSensitive(document, "a");
	cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "list");
	struct patch p;

	(void)state;
	patch_init(&p, "/spec");
	assert_int_equal(patch_size(&p), 0);
	patch_set(&p, "/a", a, "b/c~d", cJSON_CreateTrue());
	patch_set(&p, "/a", a, "x", cJSON_CreateNumber(2));
	patch_prepend(&p, "/list", list, cJSON_CreateString("first"));
	patch_append(&p, "/list", list, cJSON_CreateString("last"));
	patch_remove(&p, "/a", a, "x");
	assert_false(p.has_failed);
	check_json(document, "{\"a\":{\"b/c~d\":true},\"list\":[\"first\",1,\"last\"]}");
	check_json(p.operations, "[{\"op\":\"add\",\"path\":\"/spec/a/b~1c~0d\",\"value\":true},"
				 "{\"op\":\"add\",\"path\":\"/spec/a/x\",\"value\":2},"
				 "{\"op\":\"add\",\"path\":\"/spec/list/0\",\"value\":\"first\"},"
				 "{\"op\":\"add\",\"path\":\"/spec/list/-\",\"value\":\"last\"},"
				 "{\"op\":\"remove\",\"path\":\"/spec/a/x\"}]");
	patch_release(&p);
	cJSON_Delete(document);
}

static void test_empty_list(void **state)
{
	cJSON *list = cJSON_CreateArray();
	struct patch p;

	(void)state;
	patch_init(&p, "");
	patch_prepend(&p, "/l", list, cJSON_CreateNull());
	check_json(list, "[null]");
	check_json(p.operations, "[{\"op\":\"add\",\"path\":\"/l/0\",\"value\":null}]");
	patch_release(&p);
	cJSON_Delete(list);
}

/* After a failure nothing is recorded any more, and values are not leaked. */
static void test_failure(void **state)
{
	cJSON *object = cJSON_CreateObject();
	struct patch p;

	(void)state;
	patch_init(&p, "");
	patch_set(&p, "", object, "a", NULL);
	assert_true(p.has_failed);
	patch_set(&p, "", object, "b", cJSON_CreateTrue());
	patch_remove(&p, "", object, "b");
	patch_append(&p, "", object, cJSON_CreateTrue());
	check_json(object, "{}");
	check_json(p.operations, "[]");
	patch_release(&p);
	cJSON_Delete(object);
}

/* Every placeholder of the template is a parameter. */
static void test_placeholders(void **state)
{
	int count = 0;

	(void)state;
	assert_non_null(template_document());
	for (const char *at = template_text; *at; at++) {
		bool is_known = false;

		if ((*at != '$' && *at != '#') || at[1] != '{')
			continue;
		for (int i = 0; i < PARAM_MAX; i++) {
			size_t len = strlen(parameter_table[i].name);

			is_known |= strncmp(at + 2, parameter_table[i].name, len) == 0 &&
				    at[2 + len] == '}';
		}
		if (!is_known)
			fail_msg("no parameter for %.30s", at);
		count++;
	}
	assert_true(count > 10);
}

static void test_left_out(void **state)
{
	struct values v;
	cJSON *container;

	(void)state;
	for (int i = 0; i < PARAM_MAX; i++)
		v.of[i] = "";
	v.of[PARAM_IMAGE] = "i";
	v.of[PARAM_MEMORY_LIMIT] = "64Mi";
	container = template_container(&v, false);
	check_json(cJSON_GetObjectItemCaseSensitive(container, "image"), "\"i\"");
	check_json(cJSON_GetObjectItemCaseSensitive(container, "ports"), "[]");
	check_json(cJSON_GetObjectItemCaseSensitive(container, "resources"),
		   "{\"requests\":{},\"limits\":{\"memory\":\"64Mi\"}}");
	assert_null(cJSON_GetObjectItemCaseSensitive(container, "imagePullPolicy"));
	assert_null(cJSON_GetObjectItemCaseSensitive(container, "restartPolicy"));
	cJSON_Delete(container);
	v.of[PARAM_METRICS_PORT] = "9465";
	container = template_container(&v, true);
	check_json(cJSON_GetObjectItemCaseSensitive(container, "ports"),
		   "[{\"name\":\"sidelight\",\"containerPort\":9465,\"protocol\":\"TCP\"}]");
	check_json(cJSON_GetObjectItemCaseSensitive(container, "restartPolicy"), "\"Always\"");
	cJSON_Delete(container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations), cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_failure),	   cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
