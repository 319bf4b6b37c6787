/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "webhook/injection.h"
#include "webhook/manifest.h"
#include "webhook/refusal.h"
#include "webhook/template.h"

#define EXIT_USE  2
#define BYTES_MAX (3u << 20) /* twice what the API server stores of an object */

static int read_all(FILE *in, struct text *out)
{
	char buf[16384];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), in)) > 0) {
		text_add_span(out, (struct span){buf, n});
		if (out->len > BYTES_MAX)
			return -EFBIG;
	}
	if (out->has_failed)
		return -ENOMEM;
	return ferror(in) ? -EIO : 0;
}

/* One JSON text after another, as kubectl prints several objects; NULL: there is none, or one is
 * malformed. */
static cJSON *parse_documents(struct span text)
{
	cJSON *documents = cJSON_CreateArray();
	bool is_good = documents;

	while (is_good) {
		const char *end = NULL;
		cJSON *one;

		while (text.len && strchr(" \t\r\n", text.ptr[0]))
			text = span_from(text, 1);
		if (!text.len)
			break;
		one = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
		is_good = cJSON_AddItemToArray(documents, one);
		text = span_from(text, is_good ? (size_t)(end - text.ptr) : 0);
	}
	if (is_good && documents->child)
		return documents;
	cJSON_Delete(documents);
	return NULL;
}

/* An array. */
static cJSON *read_documents(const char *file)
{
	bool is_stdin = !file || strcmp(file, "-") == 0;
	scoped_file FILE *opened = is_stdin ? NULL : fopen(file, "r");
	cJSON *documents = NULL;
	struct text text;
	int err = -errno;

	if (!is_stdin && !opened) {
		log_error("%s: %s", file, strerror(-err));
		return NULL;
	}
	text_init(&text);
	err = read_all(is_stdin ? stdin : opened, &text);
	if (!err)
		documents = parse_documents(text_span(&text));
	if (err)
		log_error("%s: %s", is_stdin ? "standard input" : file, strerror(-err));
	else if (!documents)
		log_error(
			"%s is not JSON; for YAML: kubectl create --dry-run=client -o json -f FILE",
			is_stdin ? "standard input" : file);
	text_release(&text);
	return documents;
}

static int print_object(const cJSON *object)
{
	scoped_free char *printed = cJSON_Print(object);

	if (!printed || printf("%s\n", printed) < 0 || fflush(stdout)) {
		log_error("cannot write the result");
		return 1;
	}
	return 0;
}

static const char *kind_of(const cJSON *object)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "kind"));
}

/* What the Namespace among the items says of its Pod Security Standard. */
static void read_namespace(struct injection *in, const cJSON *items)
{
	const cJSON *object;

	cJSON_ArrayForEach(object, items)
	{
		const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
		const cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
		const char *level = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
			labels, "pod-security.kubernetes.io/enforce"));

		if (!kind_of(object) || strcmp(kind_of(object), "Namespace") != 0 || !level)
			continue;
		in->is_unlabelled = false;
		in->is_restricted = strcmp(level, "privileged") != 0;
	}
}

static const cJSON *injected_container(const cJSON *pod)
{
	static const char *const lists[] = {"initContainers", "containers"};
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(pod, "spec");
	const cJSON *container;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cJSON_ArrayForEach(container, cJSON_GetObjectItemCaseSensitive(spec, lists[i]))
		{
			const char *name = cJSON_GetStringValue(
				cJSON_GetObjectItemCaseSensitive(container, "name"));

			if (name && strcmp(name, TEMPLATE_CONTAINER) == 0)
				return container;
		}
	}
	return NULL;
}

/* One that has a Pod template. items: what else is in its namespace, or NULL. Returns the exit
 * status: 1 where it is not injected, or would be refused. */
static int inject_object(const struct values *defaults, cJSON *object, const cJSON *items)
{
	const char *path = manifest_pod_path(kind_of(object));
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, "name"));
	struct injection in = {.defaults = defaults, .is_asked = true, .is_unlabelled = true};
	cJSON *warnings = cJSON_CreateArray();
	const cJSON *line;
	struct patch patch;
	int refusals = 0;
	bool is_skipped;

	if (*path && name)
		in.workload = span_of(name);
	read_namespace(&in, items);
	patch_init(&patch, path);
	is_skipped = injection_apply(&in, manifest_at(object, path), &patch, warnings) ==
		     OUTCOME_SKIPPED;
	if (!is_skipped)
		patch.has_failed |= !refusal_find(injected_container(manifest_at(object, path)),
						  items, warnings, &refusals);
	cJSON_ArrayForEach(line, warnings)
	{
		if (items && name)
			log_warn("%s/%.253s: %s", kind_of(object), name, line->valuestring);
		else
			log_warn("%s", line->valuestring);
	}
	if (patch.has_failed)
		log_error("no memory");
	is_skipped |= patch.has_failed;
	patch_release(&patch);
	cJSON_Delete(warnings);
	return is_skipped || refusals > 0;
}

/* `kubectl get -o json` of several objects; -1: none has a Pod template. */
static int inject_list(const struct values *defaults, const cJSON *items)
{
	cJSON *object;
	int status = -1;

	cJSON_ArrayForEach(object, items)
	{
		if (kind_of(object) && manifest_pod_path(kind_of(object))) {
			int one = inject_object(defaults, object, items);

			status = status > one ? status : one;
		}
	}
	return status;
}

static int inject_documents(const struct values *defaults, cJSON *documents)
{
	cJSON *document = documents->child;
	const char *kind = kind_of(document);
	int status = -1;
	int printed = 0;

	if (document->next)
		status = inject_list(defaults, documents);
	else if (kind && strcmp(kind, "List") == 0)
		status = inject_list(defaults, cJSON_GetObjectItemCaseSensitive(document, "items"));
	else if (kind && manifest_pod_path(kind))
		status = inject_object(defaults, document, NULL);
	if (status < 0) {
		log_error("a %.63s has no Pod template; give a Pod, Deployment, StatefulSet, "
			  "DaemonSet, Job or CronJob, or a List with one",
			  kind ? kind : "document without kind");
		return EXIT_USE;
	}
	for (; document && !printed; document = document->next)
		printed = print_object(document);
	return printed ? printed : status;
}

int inject_command(const struct flags *f)
{
	cJSON *documents = read_documents(f->file);
	int status = documents ? inject_documents(&f->values, documents) : EXIT_USE;

	cJSON_Delete(documents);
	return status;
}
