/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload that a Pod belongs to, by the names that its controllers give,
 * without asking the API server:
 *
 *     ReplicaSet shop-6d4cf56db6, label pod-template-hash: 6d4cf56db6    shop
 *     Job report-28934561 (CronJobs append minutes since 1970)            report
 *     any other controller: its own name
 */
#ifndef SIDELIGHT_WEBHOOK_OWNER_H
#define SIDELIGHT_WEBHOOK_OWNER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/span.h"

/* From the Pod's metadata, and borrowed from it; empty if no controller owns it. */
struct span owner_workload(const cJSON *metadata);

/* Does a controller own the object? It writes the object's spec as it wants it to be. */
bool owner_is_controller(const cJSON *metadata);

#endif
