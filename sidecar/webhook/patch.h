/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON patch (RFC 6902) that grows while a document is changed: every
 * function changes the parsed document and records the operation that does the
 * same. Nothing is compared afterwards: a difference of arrays by position would
 * rewrite every element behind an inserted one, with numbers as doubles, and
 * what we do not mean to change must stay as it was to the last digit.
 *
 * `at` is the JSON pointer (RFC 6901) of the object or array below the prefix;
 * names are escaped here. Values given are the patch's or the document's
 * afterwards, also on failure.
 *
 * Invariant: once memory was short, has_failed is set, the document may be
 * changed halfway and the operations must not be used: check once, at the end.
 */
#ifndef SIDELIGHT_WEBHOOK_PATCH_H
#define SIDELIGHT_WEBHOOK_PATCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct patch {
	const char *prefix; /* borrowed */
	cJSON *operations; /* an array */
	bool has_failed;
};

/* prefix: of the document changed, in the document that the patch is for; "" if the same. */
void patch_init(struct patch *p, const char *prefix);
void patch_release(struct patch *p);

/* Member `name` of an object is value now, whether it was there or not. */
void patch_set(struct patch *p, const char *at, cJSON *object, const char *name, cJSON *value);
/* Takes a member out, which is there. */
void patch_remove(struct patch *p, const char *at, cJSON *object, const char *name);
/* Puts value before the first element, or behind the last. */
void patch_prepend(struct patch *p, const char *at, cJSON *array, cJSON *value);
void patch_append(struct patch *p, const char *at, cJSON *array, cJSON *value);

/* How many operations there are. */
int patch_size(const struct patch *p);

#endif
