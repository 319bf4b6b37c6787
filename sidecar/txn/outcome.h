/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the open requests of an HTTP/1 connection end: reported, counted as lost, or forgotten.
 */
#ifndef SIDELIGHT_TXN_OUTCOME_H
#define SIDELIGHT_TXN_OUTCOME_H

#include "txn/session.h"

/* The oldest open request is complete, with or without a response. */
void outcome_report(struct conn *c, struct session *s, enum txn_error error, uint64_t end_ns,
		    uint64_t response_bytes);

/* All open requests but the `trusted` oldest, and later ones, may get another's response. */
void outcome_doubt(struct session *s, unsigned trusted);

/* The oldest open request is done with, and not reported. */
void outcome_end(struct conn *c, struct session *s);

/* All open requests, which are not reported: counted under `why`, or NULL: silently forgotten. */
void outcome_drop(struct conn *c, struct session *s, const enum engine_lost *why);
void outcome_lose(struct conn *c, struct session *s, enum engine_lost why);

#endif
