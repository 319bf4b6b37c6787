/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps a request target to a route template of low cardinality.
 *
 * User templates are tried first, in order: literal segments, `{name}` for one segment, a last `*`
 * for any rest. Then the automatic rules apply to each segment: a segment that is or contains a
 * number of three digits, a UUID, a hex or base64-like token, a date or an '@' becomes `{id}`, and
 * so does a segment that is a number of any length. The extension of a file name is kept; words are
 * kept.
 *
 *     /users/42/orders/9f1c2d3e4a    /users/{id}/orders/{id}
 *     /static/app.3f2a9c1b.js        /static/{id}.js
 *     /api/v2/hello.world            /api/v2/hello.world
 *
 * Query, fragment and path parameters are never part of a template. Empty segments are dropped, a
 * last slash is kept, deep paths end in `*`. Templates consist of visible ASCII characters.
 * Automatic routes are admitted under a cap, else they are `_OTHER` (label_values.h).
 */
#ifndef SIDELIGHT_TXN_ROUTE_H
#define SIDELIGHT_TXN_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

#define ROUTE_AUTHORITY "{authority}" /* authority-form: the target of CONNECT */
#define ROUTE_INVALID	"{invalid}" /* an invalid target, to which servers respond with 400 */

struct routes;

/*
 * `templates` is the user's comma-separated list, NULL or "" for none. `names` is borrowed. Returns
 * NULL and sets *ret_error (static text) if a template is malformed or there is no memory.
 */
struct routes *routes_new(struct label_values *names, const char *templates,
			  const char **ret_error);
void routes_free(struct routes *r);

/*
 * Replaces the templates; routes that were returned stay valid. Returns NULL, or the error as
 * static text and changes nothing.
 */
const char *routes_set(struct routes *r, const char *templates);

/*
 * The template of a target in any form (RFC 9112 section 3.2), as label_values_find(); the caller
 * decides or drops a candidate of `names`. Never returns NULL.
 */
const char *routes_find(struct routes *r, enum role role, struct span target,
			struct memory_account *memory, bool *ret_is_candidate);

/*
 * The automatic template of a path, for tests and tools: written to buf, truncated at size. Returns
 * its length.
 */
size_t route_template(struct span path, char *buf, size_t size);

#endif
