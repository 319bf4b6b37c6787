/* SPDX-License-Identifier: Apache-2.0 */
/* Ends the open requests of an HTTP/1 connection: reported, counted as lost, or dropped. */
#ifndef SIDELIGHT_TXN_OUTCOME_H
#define SIDELIGHT_TXN_OUTCOME_H

#include "txn/session.h"

/* Reports the oldest open request, with or without a response. */
void outcome_report(struct conn *c, struct session *s, enum txn_error error, uint64_t end_ns,
		    uint64_t response_bytes);

/*
 * All open requests but the `trusted` oldest, and later ones, may get the response of another
 * request.
 */
void outcome_doubt(struct session *s, unsigned trusted);

/* Removes the oldest open request without reporting it. */
void outcome_end(struct conn *c, struct session *s);

/*
 * Remove all open requests without reporting them: counted under `why`, or not at all if it is
 * NULL.
 */
void outcome_drop(struct conn *c, struct session *s, const enum engine_lost *why);
void outcome_lose(struct conn *c, struct session *s, enum engine_lost why);

/* Counts the open requests as unanswered, but for those that are counted as lost. */
void outcome_count_unanswered(struct conn *c, struct session *s);

#endif
