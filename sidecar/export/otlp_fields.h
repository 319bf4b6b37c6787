/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields that somebody wants to be sent with each export, such as credentials. */
#ifndef SIDELIGHT_EXPORT_OTLP_FIELDS_H
#define SIDELIGHT_EXPORT_OTLP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pairs.h"

struct otlp_fields {
	char **lines; /* "Name: value", NULL behind the last; owned */
	size_t count;
};

/*
 * Leaves out, after one log line with its name, what is no name of a field, and what is ours to
 * say; has_token: Authorization is. False: no memory.
 */
bool otlp_fields_init(struct otlp_fields *f, const struct pairs *headers, bool has_token);
/* Overwrites them. Accepts a zeroed struct. */
void otlp_fields_release(struct otlp_fields *f);

#endif
