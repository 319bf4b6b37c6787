/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects as JSON: where a workload keeps its Pod.
 */
#ifndef SIDELIGHT_WEBHOOK_MANIFEST_H
#define SIDELIGHT_WEBHOOK_MANIFEST_H

#include <cjson/cJSON.h>

#include "base/span.h"

/*
 * JSON pointer from an object of this kind to its Pod or Pod template: "" for
 * a Pod, "/spec/template" for a Deployment, NULL for what has none.
 */
const char *manifest_pod_path(const char *kind);

/* The node that the pointer (without escapes) leads to, or NULL. */
cJSON *manifest_at(cJSON *object, const char *path);

#endif
