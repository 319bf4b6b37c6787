/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions in CEL that a part of an object is what the template makes of some
 * values, and nothing more. Members that the template does not have are
 * refused, whatever they are; those that the API server adds by itself
 * (template_defaults()) must have its values.
 *
 *   object             has no member but these; the ones that are always there
 *                      are there, and every one matches
 *   list of objects    every element matches one of the template's
 *   list of strings    the same strings; those that may be left out (placeholders) may be
 *                      missing, or be the values of their variables
 *   "a${name}b"        what the parameter accepts, between "a" and "b"
 *   "#{name}"          any number: the API server checks ports
 *
 * Identifiers that the conditions declare begin with "m_".
 */
#ifndef SIDELIGHT_WEBHOOK_CEL_MATCH_H
#define SIDELIGHT_WEBHOOK_CEL_MATCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/text.h"
#include "webhook/cel.h"

/* `x`, in CEL, matches the node. The condition needs no parentheses beside &&. */
void cel_match(struct cel *c, const char *x, const cJSON *node);

/* ["a", "b"] of the members of the node and their defaults; `name` is the node's. */
void cel_members(struct text *out, const char *name, const cJSON *node);

/* May this member of an object be missing? */
bool cel_is_optional(const cJSON *member);

#endif
