/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request target to a route template of few values.
 *
 * The users' own templates are tried first, in order: literal segments,
 * `{name}` for one segment, a last `*` for any rest. Then the automatic
 * rules, by segment: what is or contains a number of three digits, a UUID, a
 * hex or base64-like token, a date or an '@' becomes `{id}`, and so does a
 * whole number of any length; of a file name the extension stays; words stay.
 *
 *     /users/42/orders/9f1c2d3e4a    /users/{id}/orders/{id}
 *     /static/app.3f2a9c1b.js        /static/{id}.js
 *     /api/v2/hello.world            /api/v2/hello.world
 *
 * Query, fragment and path parameters never reach a template; empty segments
 * are dropped, a last slash is kept; deep paths end in `*`. Templates
 * consist of visible ASCII characters. Automatic routes have to earn their
 * place under a cap, else they are `_OTHER`: label_values.h.
 */
#ifndef SIDELIGHT_TXN_ROUTE_H
#define SIDELIGHT_TXN_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

#define ROUTE_AUTHORITY "{authority}" /* authority-form: the target of CONNECT */
#define ROUTE_INVALID	"{invalid}" /* a target in no form; servers answer it with 400 */

struct routes;

/*
 * `templates` is the users' comma-separated list, NULL or "" for none. `names` is borrowed.
 * Returns NULL and sets *ret_error (static text) if a template is malformed or memory is
 * short.
 */
struct routes *routes_new(struct label_values *names, const char *templates,
			  const char **ret_error);
void routes_free(struct routes *r);

/*
 * Other templates from now on; routes that were handed out stay valid. Returns
 * NULL, or static text that says what is wrong; then nothing has changed.
 */
const char *routes_set(struct routes *r, const char *templates);

/* The template of a target in any form (RFC 9112 section 3.2), as label_values_find() answers;
 * a candidate is to be settled or dropped with `names`. Never NULL. */
const char *routes_find(struct routes *r, enum role role, struct span target,
			struct memory_account *memory, bool *ret_is_candidate);

/* The automatic template of a path, for tests and tools: appended to buf, cut at size.
 * Returns its length. */
size_t route_template(struct span path, char *buf, size_t size);

#endif
