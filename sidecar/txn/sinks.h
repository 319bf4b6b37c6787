/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sinks of one engine. The set may change at any time, also inside a sink's done().
 *
 * Invariants, true whenever a sink is called:
 *   - needs is the union of the needs of the sinks in entry[0 .. count);
 *   - entry[next] is the next sink that gets the current transaction, entry[end - 1] the last
 *     one; sinks that are added in the meantime are after it.
 */
#ifndef SIDELIGHT_TXN_SINKS_H
#define SIDELIGHT_TXN_SINKS_H

#include <stddef.h>

#include "txn/transaction.h"

#define SINKS_MAX 12

/* All zeros: empty. */
struct sinks {
	unsigned needs; /* bits of enum txn_need */
	size_t count;
	size_t next;
	size_t end;
	struct {
		const struct txn_sink *sink;
		void *ctx;
	} entry[SINKS_MAX];
};

/* Returns 0, or -ENOSPC if there are SINKS_MAX. */
int sinks_add(struct sinks *s, const struct txn_sink *sink, void *ctx);
/* Ignores a pair that was not added. */
void sinks_remove(struct sinks *s, const struct txn_sink *sink, void *ctx);

/* Calls every sink in the order of addition. */
static inline void sinks_done(struct sinks *s, const struct transaction *t)
{
	s->end = s->count;
	s->next = 0;
	while (s->next < s->end) {
		size_t i = s->next++;

		s->entry[i].sink->done(s->entry[i].ctx, t);
	}
}

#endif
