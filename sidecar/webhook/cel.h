/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the template as expressions in CEL, as a MutatingAdmissionPolicy
 * has them: a placeholder becomes the variable of its parameter.
 *
 *     "a${push-interval}b"    "a" + variables.push_interval + "b"
 *     "#{metrics-port}"       int(variables.metrics_port)
 *
 * Maps and lists may not have mixed types in Kubernetes' CEL, hence dyn(). An
 * element of an array that may be left out is a list of its own, of one or
 * none. A member of an object that may be left out is passed to `later`, which
 * adds it to the object by another operation.
 */
#ifndef SIDELIGHT_WEBHOOK_CEL_H
#define SIDELIGHT_WEBHOOK_CEL_H

#include <cjson/cJSON.h>

#include "base/text.h"
#include "webhook/parameter.h"

struct cel {
	struct text *out;
	size_t indent; /* of the line that is being written, in spaces */
	/* path: from the root of what is written, "/resources/limits/cpu"; NULL: there are none */
	void (*later)(void *ctx, const char *path, enum parameter_id id, const cJSON *node);
	void *ctx;
};

/* "a string" with escapes. */
void cel_string(struct text *out, const char *str);

/* variables.NAME: `-` is not a letter of names. */
void cel_variable(struct text *out, enum parameter_id id);

/* NAME in MAP && ...: MAP, a ConfigMap's data, has the veto of a parameter; see parameter.h. */
void cel_veto(struct text *out, const char *map, const struct parameter *p);

/* Can this parameter have no value? */
bool cel_may_be_empty(enum parameter_id id);

/* A node of the template. */
void cel_node(struct cel *c, const cJSON *node);

/* A line break, and the indentation. */
void cel_newline(struct cel *c);

#endif
