/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources of the Pod as a whole (spec.resources, Kubernetes 1.34). The API server
 * refuses a Pod whose Pod-level requests are below the sum of its containers', or
 * whose Pod-level limit is below one container's. So what the Pod says of CPU and memory is
 * raised by what the injected container has: requests by its request, limits by its
 * limit (its request where it has no limit). What the Pod does not say is not added.
 */
#ifndef SIDELIGHT_WEBHOOK_POD_RESOURCES_H
#define SIDELIGHT_WEBHOOK_POD_RESOURCES_H

#include <cjson/cJSON.h>

#include "base/text.h"
#include "webhook/parameter.h"
#include "webhook/patch.h"

/* Changes spec.resources, and records it. */
void pod_resources_raise(cJSON *spec, const struct values *v, struct patch *p);

/*
 * The same as terms of the list of operations of the policy, each followed by " +"
 * and a line break with `indent` spaces.
 */
void pod_resources_write(struct text *out, size_t indent);

#endif
