/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/review.h"

#include <cjson/cJSON.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "webhook/carry.h"
#include "webhook/injection.h"
#include "webhook/manifest.h"
#include "webhook/patch.h"

const char *const review_results[RESULT_MAX] = {
	"unasked", "present", "skipped",   "injected",	"unchanged",
	"carried", "removed", "malformed", "no_memory",
};

#define UID_BYTES_MAX 256
/* The API server cuts all warnings of an answer at 4096 characters. */
#define WARNINGS_MAX 16

static cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *string_member(const cJSON *object, const char *name)
{
	const char *str = cJSON_GetStringValue(member(object, name));

	return str ? str : "";
}

/* NULL, or what is wrong. */
static const char *check(const cJSON *review)
{
	const char *version = string_member(review, "apiVersion");
	const char *uid = string_member(member(review, "request"), "uid");

	if (strcmp(version, "admission.k8s.io/v1") != 0 &&
	    strcmp(version, "admission.k8s.io/v1beta1") != 0)
		return "not an object of admission.k8s.io/v1";
	if (strcmp(string_member(review, "kind"), "AdmissionReview") != 0)
		return "not an AdmissionReview";
	if (!*uid || strlen(uid) > UID_BYTES_MAX)
		return "request.uid is missing or too long";
	return NULL;
}

static enum review_result review_pod(const struct injection *in, cJSON *request, struct patch *p,
				     cJSON *warnings)
{
	static const enum review_result results[OUTCOME_MAX] = {
		[OUTCOME_UNASKED] = RESULT_UNASKED,
		[OUTCOME_PRESENT] = RESULT_PRESENT,
		[OUTCOME_SKIPPED] = RESULT_SKIPPED,
		[OUTCOME_INJECTED] = RESULT_INJECTED,
	};

	if (strcmp(string_member(member(request, "kind"), "kind"), "Pod") != 0 ||
	    strcmp(string_member(request, "operation"), "CREATE") != 0)
		return RESULT_UNASKED;
	return results[injection_apply(in, member(request, "object"), p, warnings)];
}

static enum review_result review_workload(const struct injection *in, cJSON *request,
					  struct patch *p, cJSON *warnings)
{
	static const enum review_result results[] = {
		[CARRY_UNASKED] = RESULT_UNASKED, [CARRY_UNCHANGED] = RESULT_UNCHANGED,
		[CARRY_CARRIED] = RESULT_CARRIED, [CARRY_REMOVED] = RESULT_REMOVED,
		[CARRY_FIXED] = RESULT_UNASKED,	  [CARRY_CONTROLLED] = RESULT_UNASKED,
	};
	const char *kind = string_member(member(request, "kind"), "kind");
	const char *path = manifest_pod_path(kind);
	bool is_create = strcmp(string_member(request, "operation"), "CREATE") == 0;

	if (!path || !*path ||
	    (!is_create && strcmp(string_member(request, "operation"), "UPDATE") != 0))
		return RESULT_UNASKED;
	return results[carry_apply(in, kind, is_create, member(request, "object"), p, warnings)];
}

static bool add_patch(cJSON *response, const struct patch *p)
{
	gnutls_datum_t raw = {NULL, 0};
	gnutls_datum_t coded = {NULL, 0};
	char *printed = cJSON_PrintUnformatted(p->operations);
	bool ok = false;

	if (printed) {
		raw = (gnutls_datum_t){(unsigned char *)printed, (unsigned)strlen(printed)};
		ok = gnutls_base64_encode2(&raw, &coded) == 0 &&
		     cJSON_AddStringToObject(response, "patchType", "JSONPatch") &&
		     cJSON_AddStringToObject(response, "patch", (const char *)coded.data);
	}
	gnutls_free(coded.data);
	cJSON_free(printed);
	return ok;
}

/* Takes warnings. */
static bool add_warnings(cJSON *response, cJSON *warnings)
{
	if (cJSON_GetArraySize(warnings) == 0) {
		cJSON_Delete(warnings);
		return true;
	}
	while (cJSON_GetArraySize(warnings) > WARNINGS_MAX)
		cJSON_DeleteItemFromArray(warnings, WARNINGS_MAX);
	if (cJSON_AddItemToObject(response, "warnings", warnings))
		return true;
	cJSON_Delete(warnings);
	return false;
}

/* Takes warnings. */
static bool print_answer(const cJSON *review, const struct patch *p, cJSON *warnings,
			 struct text *out)
{
	cJSON *answer = cJSON_CreateObject();
	cJSON *response = cJSON_AddObjectToObject(answer, "response");
	bool ok = add_warnings(response, warnings);
	char *printed = NULL;

	ok = ok && response &&
	     cJSON_AddStringToObject(answer, "apiVersion", string_member(review, "apiVersion")) &&
	     cJSON_AddStringToObject(answer, "kind", "AdmissionReview") &&
	     cJSON_AddStringToObject(response, "uid",
				     string_member(member(review, "request"), "uid")) &&
	     cJSON_AddTrueToObject(response, "allowed") &&
	     (patch_size(p) == 0 || add_patch(response, p));
	if (ok)
		printed = cJSON_PrintUnformatted(answer);
	if (printed)
		text_add(out, printed);
	cJSON_free(printed);
	cJSON_Delete(answer);
	return printed;
}

static enum review_result review_parsed(const struct reviewer *r, cJSON *review, struct text *out)
{
	const struct injection in = {.defaults = r->defaults,
				     .is_restricted = r->is_restricted,
				     .is_unlabelled = r->is_unlabelled};
	cJSON *request = member(review, "request");
	cJSON *warnings = cJSON_CreateArray();
	enum review_result result = RESULT_UNASKED;
	struct patch p;

	patch_init(&p, "");
	/* Scaling, binding and status change nothing of a Pod's containers. */
	if (!*string_member(request, "subResource") && !cJSON_IsNull(member(request, "object")))
		result = r->target == REVIEW_POD ? review_pod(&in, request, &p, warnings)
						 : review_workload(&in, request, &p, warnings);
	if (!warnings || p.has_failed || !print_answer(review, &p, warnings, out)) {
		if (p.has_failed)
			cJSON_Delete(warnings);
		text_clear(out);
		text_add(out, "out of memory");
		result = RESULT_NO_MEMORY;
	}
	patch_release(&p);
	return result;
}

/* One JSON text and nothing behind it; NULL for anything else. */
static cJSON *parse(struct span body)
{
	const char *end = NULL;
	cJSON *review;

	/* A zero byte would end strings early. */
	if (body.len == 0 || body.len > REVIEW_BYTES_MAX || memchr(body.ptr, '\0', body.len))
		return NULL;
	review = cJSON_ParseWithLengthOpts(body.ptr, body.len, &end, false);
	while (review && end < body.ptr + body.len) {
		if (!strchr(" \t\r\n", *end)) {
			cJSON_Delete(review);
			return NULL;
		}
		end++;
	}
	return review;
}

enum review_result review_answer(const struct reviewer *r, struct span body, struct text *out)
{
	cJSON *review = parse(body);
	enum review_result result = RESULT_MALFORMED;
	const char *wrong = "not JSON, too deeply nested or too large";

	if (review)
		wrong = check(review);
	if (review && !wrong)
		result = review_parsed(r, review, out);
	else
		text_add(out, wrong);
	cJSON_Delete(review);
	return result;
}
