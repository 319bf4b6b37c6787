/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an injected Pod has more than before: template.json, built into the
 * program, the one source of the webhook, the server-less policy and the
 * static manifests.
 *
 * Members of the document:
 *   container  the container
 *   native     what it has in addition as an init container
 *   volumes    the volumes that it mounts
 *   pod        members of the Pod's spec
 *   defaults   what the API server adds by itself, by the name of the member it
 *              adds to; null: with any value
 *
 * Strings in it may hold one placeholder, the name of a parameter:
 *   "a${name}b"  the value, as a string, with what stands around it
 *   "#{name}"    the value, as a number
 * Where the value is "", a member of an object is left out, and if that object
 * is an element of an array, so is the element (an env entry without value, a
 * port without number), as is a string that is itself an element (a capability).
 * Nothing else is conditional.
 */
#ifndef SIDELIGHT_WEBHOOK_TEMPLATE_H
#define SIDELIGHT_WEBHOOK_TEMPLATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/span.h"
#include "webhook/parameter.h"

#define TEMPLATE_CONTAINER "sidelight" /* name of the container */

/* The document as it is in template.json: text, and parsed (once; borrowed, read only).
 * NULL when memory is short. */
extern const char template_text[];
const cJSON *template_document(void);

/* Parts of it with the values filled in. The caller's; NULL when memory is short. */
cJSON *template_container(const struct values *v, bool is_native);
cJSON *template_volumes(const struct values *v); /* an array */
cJSON *template_pod(const struct values *v);

/*
 * Is `volume` this one of the template's volumes, with nothing added but the API
 * server's defaults?
 */
bool template_is_volume(const cJSON *wanted, const cJSON *volume);

/* The defaults of the API server for the member `name`; NULL: it has none. */
const cJSON *template_defaults(const char *name);

/* A string of the template that has a placeholder. Borrowed from it. */
struct template_string {
	enum parameter_id parameter;
	bool is_number;
	struct span before;
	const char *after;
};

/* False if it has none. */
bool template_string(const char *str, struct template_string *ret_parts);

#endif
