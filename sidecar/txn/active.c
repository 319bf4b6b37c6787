/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/active.h"

#include "proto/method.h"

struct active *actives_find(struct actives *all, enum role role, uint64_t container,
			    const char *known_method, bool is_tls)
{
	struct active *unused = NULL;

	for (size_t i = 0; i < ACTIVE_CELLS; i++) {
		struct active *a = &all->cell[i];

		if (active_is(a, role, container, known_method, is_tls))
			return a;
		if (!unused && a->count == 0)
			unused = a;
		if (!a->known_method) { /* the cells after it are unused, too */
			unused = a;
			break;
		}
	}
	if (!unused) {
		unused = &all->cell[ACTIVE_CELLS];
		role = ROLE_SERVER;
		container = 0;
		known_method = METHOD_OTHER;
		is_tls = false;
	}
	if (unused->count == 0)
		*unused = (struct active){role, container, known_method, 0, is_tls, false};
	return unused;
}
