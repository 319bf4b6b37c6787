/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities of Kubernetes, as far as CPU and memory need them: "250m", "1.5Gi",
 * "2e3", or a number in JSON.
 */
#ifndef SIDELIGHT_WEBHOOK_QUANTITY_H
#define SIDELIGHT_WEBHOOK_QUANTITY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* In units of one (a CPU, a byte). False for what is not a quantity. */
bool quantity_parse(const char *str, double *ret_value);

/* The same of a member of "requests", "limits", "hard"; false if it is missing. */
bool quantity_read(const cJSON *node, double *ret_value);

#endif
