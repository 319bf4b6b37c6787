/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images the annotation sidelight.dev/image may name. Whoever chooses the
 * image chooses the code that gets the capabilities, so the administrator
 * decides (the parameter image-choice):
 *
 *   repository  any tag or digest of the repository of the configured image; if
 *               the configured image has a digest, only that digest
 *   any         every image
 *
 * References are compared as container runtimes read them: "sidelight:1",
 * "library/sidelight" and "index.docker.io/library/sidelight" name the
 * repository docker.io/library/sidelight. The first component is a registry if
 * it has a dot, a colon or an upper-case letter, or is "localhost". Registries
 * are compared letter by letter: another spelling is another registry.
 *
 * Webhook, policy and guard share the rule: the webhook asks
 * image_is_permitted(), the other two evaluate what image_write_variables()
 * writes. All references here are ones that PARAM_IMAGE accepts.
 */
#ifndef SIDELIGHT_WEBHOOK_IMAGE_H
#define SIDELIGHT_WEBHOOK_IMAGE_H

#include <stdbool.h>

#include "base/text.h"
#include "webhook/parameter.h"

bool image_is_permitted(const char *image, const struct values *defaults);

/*
 * Appends the variables of a policy that decide the same. They read
 * variables.image_configured, a reference or "", and make
 * variables.image_pattern, a regular expression that every permitted reference
 * matches and no other one.
 */
void image_write_variables(struct text *out);

/* Appends the condition that `expression`, in CEL, is a permitted reference. */
void image_write_condition(struct text *out, const char *expression);

#endif
