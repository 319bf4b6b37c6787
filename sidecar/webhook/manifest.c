/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/manifest.h"

#include <stdio.h>

const char *manifest_pod_path(const char *kind)
{
	static const struct {
		const char *kind;
		const char *path;
	} kinds[] = {
		{"Pod", ""},
		{"Deployment", "/spec/template"},
		{"StatefulSet", "/spec/template"},
		{"DaemonSet", "/spec/template"},
		{"Job", "/spec/template"},
		{"CronJob", "/spec/jobTemplate/spec/template"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].path;
	return NULL;
}

cJSON *manifest_at(cJSON *object, const char *path)
{
	while (object && *path) {
		char name[32];
		size_t len = strcspn(path + 1, "/");

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, path + 1); /* paths above */
		object = cJSON_GetObjectItemCaseSensitive(object, name);
		path += 1 + len;
	}
	return object;
}
