/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews. The first byte of the input chooses whom it is for (bit 0: workloads,
 * bit 1: a namespace that enforces a standard), the rest is the body. It holds that
 *   - a body is answered by a review that allows, or refused with a line;
 *   - what is injected or carried once is not injected or carried again;
 *   - nothing is left of it: the memory of cJSON is what it was.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "fuzz.h"
#include "webhook/budget.h"
#include "webhook/carry.h"
#include "webhook/manifest.h"
#include "webhook/review.h"
#include "webhook/template.h"

static const struct values *defaults(void)
{
	static struct values v;

	for (int i = 0; !v.of[PARAM_MAX - 1] && i < PARAM_MAX; i++)
		v.of[i] = parameter_table[i].fallback;
	return &v;
}

static const char *string_member(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static void check_answer(enum review_result result, const struct text *out)
{
	cJSON *answer = cJSON_ParseWithLength(out->ptr, out->len);
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(answer, "response");

	fuzz_check(out->len > 0 && result != RESULT_NO_MEMORY);
	if (result == RESULT_MALFORMED) {
		fuzz_check(!strchr(out->ptr, '\n'));
	} else {
		fuzz_check(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(response, "allowed")));
		fuzz_check(string_member(response, "uid"));
		fuzz_check(!string_member(response, "patch") ==
			   !string_member(response, "patchType"));
	}
	cJSON_Delete(answer);
}

static int apply(const struct reviewer *r, const char *kind, cJSON *object)
{
	const struct injection in = {.defaults = r->defaults, .is_restricted = r->is_restricted};
	cJSON *warnings = cJSON_CreateArray();
	struct patch p;
	int size;

	patch_init(&p, "");
	if (r->target == REVIEW_POD)
		(void)injection_apply(&in, object, &p, warnings); /* seen by the patch */
	else if (manifest_pod_path(kind) && *manifest_pod_path(kind))
		(void)carry_apply(&in, kind, true, object, &p, warnings);
	fuzz_check(!p.has_failed);
	size = patch_size(&p);
	patch_release(&p);
	cJSON_Delete(warnings);
	return size;
}

static void check_twice(const struct reviewer *r, struct span body)
{
	cJSON *review = cJSON_ParseWithLength(body.ptr, body.len);
	const cJSON *request = cJSON_GetObjectItemCaseSensitive(review, "request");
	const char *kind = string_member(cJSON_GetObjectItemCaseSensitive(request, "kind"), "kind");
	cJSON *object = cJSON_GetObjectItemCaseSensitive(request, "object");

	(void)apply(r, kind ? kind : "", object);
	fuzz_check(apply(r, kind ? kind : "", object) == 0);
	cJSON_Delete(review);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reviewer r = {.defaults = defaults()};
	struct span body = {(const char *)data + 1, size - 1};
	enum review_result result;
	struct text out;
	size_t before;

	if (size < 1)
		return 0;
	if (!template_document()) {
		budget_install(64u << 20);
		fuzz_check(template_document());
	}
	r.target = data[0] & 1 ? REVIEW_WORKLOAD : REVIEW_POD;
	r.is_restricted = data[0] & 2;
	before = budget_used(BUDGET_JSON);
	text_init(&out);
	result = review_answer(&r, body, &out);
	check_answer(result, &out);
	text_release(&out);
	if (result != RESULT_MALFORMED)
		check_twice(&r, body);
	fuzz_check(budget_used(BUDGET_JSON) == before);
	return 0;
}
