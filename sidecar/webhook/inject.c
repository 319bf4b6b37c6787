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

static cJSON *read_object(const char *file)
{
	bool is_stdin = !file || strcmp(file, "-") == 0;
	scoped_file FILE *opened = is_stdin ? NULL : fopen(file, "r");
	cJSON *object = NULL;
	struct text text;
	int err = -errno;

	if (!is_stdin && !opened) {
		log_error("%s: %s", file, strerror(-err));
		return NULL;
	}
	text_init(&text);
	err = read_all(is_stdin ? stdin : opened, &text);
	if (!err)
		object = cJSON_ParseWithLength(text.ptr, text.len);
	if (err)
		log_error("%s: %s", is_stdin ? "standard input" : file, strerror(-err));
	else if (!object)
		log_error(
			"%s is not JSON; for YAML: kubectl create --dry-run=client -o json -f FILE",
			is_stdin ? "standard input" : file);
	text_release(&text);
	return object;
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

static int inject_object(const struct values *defaults, cJSON *object)
{
	const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "kind"));
	const char *path = kind ? manifest_pod_path(kind) : NULL;
	const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, "name"));
	struct injection in = {.defaults = defaults, .is_asked = true, .is_unlabelled = true};
	cJSON *warnings = cJSON_CreateArray();
	enum outcome outcome = OUTCOME_UNASKED;
	struct patch patch;
	const cJSON *line;
	int status = 0;

	if (!path) {
		log_error("a %.63s has no Pod template; give a Pod, Deployment, StatefulSet, "
			  "DaemonSet, Job or CronJob",
			  kind ? kind : "document without kind");
		cJSON_Delete(warnings);
		return EXIT_USE;
	}
	if (*path && name)
		in.workload = span_of(name);
	patch_init(&patch, path);
	outcome = injection_apply(&in, manifest_at(object, path), &patch, warnings);
	cJSON_ArrayForEach(line, warnings) log_warn("%s", line->valuestring);
	if (patch.has_failed) {
		log_error("no memory");
		status = 1;
	} else {
		status = print_object(object);
	}
	if (!status)
		status = outcome == OUTCOME_SKIPPED;
	patch_release(&patch);
	cJSON_Delete(warnings);
	return status;
}

int inject_command(const struct flags *f)
{
	cJSON *object = read_object(f->file);
	int status = object ? inject_object(&f->values, object) : EXIT_USE;

	cJSON_Delete(object);
	return status;
}
