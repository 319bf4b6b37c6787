/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What in a namespace would refuse the injected container, as far as its objects tell:
 * ResourceQuotas that want values which the container has not, or have too little left for
 * it; LimitRanges whose minimum, maximum or ratio it does not keep, defaults included. Of
 * several Pods and of scopes of quotas it knows nothing: `kubectl sidelight check` asks the
 * API server.
 */
#ifndef SIDELIGHT_WEBHOOK_REFUSAL_H
#define SIDELIGHT_WEBHOOK_REFUSAL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/*
 * container: as it would be injected. items: the objects of the namespace, others than these
 * two kinds are passed over. Adds a line for each refusal to the array of strings
 * `warnings`, and their number to *count. False when memory is short.
 */
bool refusal_find(const cJSON *container, const cJSON *items, cJSON *warnings, int *count);

#endif
