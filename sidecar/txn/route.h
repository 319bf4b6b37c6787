/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request target to a route template of few values.
 *
 * The users' own templates are tried first, in order: literal segments,
 * `{name}` for one segment, a last `*` for any rest. Then the automatic
 * rules, by segment: what is a number, UUID, hex or base64-like token, date
 * or contains an e-mail address becomes `{id}`; words stay. Query and fragment never
 * reach a template. Once `cap` different automatic routes exist in a
 * direction, new ones are `_OTHER`.
 */
#ifndef SIDELIGHT_TXN_ROUTE_H
#define SIDELIGHT_TXN_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"

#define ROUTE_OTHER "_OTHER"

struct routes;

/*
 * `templates` is the users' comma-separated list, NULL or "" for none; cap is
 * per direction (server, client). Returns NULL and sets *ret_error (static
 * text) if a template is malformed or memory is short.
 */
struct routes *routes_new(const char *templates, size_t cap, const char **ret_error);
void routes_free(struct routes *r);

/* The template of a target in any form (RFC 9112 section 3.2). Interned: lives
 * as long as r; equal routes are equal pointers. Never NULL. */
const char *routes_find(struct routes *r, enum role role, struct span target);

/* Targets that were answered with _OTHER because of the cap. */
uint64_t routes_overflowed(const struct routes *r);

/* The automatic template of a path, for tests and tools: appended to buf, cut at size.
 * Returns its length. */
size_t route_template(struct span path, char *buf, size_t size);

#endif
