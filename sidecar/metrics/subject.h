/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subject of a transaction's series, for family_series_about(): its route (or method of gRPC)
 * in its container, apart for requests that were served and for all others. Most of the label
 * values that a stranger can multiply on a known route are those of refused requests, and they
 * must not take the places of what is served there.
 */
#ifndef SIDELIGHT_METRICS_SUBJECT_H
#define SIDELIGHT_METRICS_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "proto/grpc.h"
#include "txn/transaction.h"

static inline bool subject_is_served(const struct transaction *t)
{
	if (t->error != TXN_OK)
		return false;
	if (t->protocol == TXN_GRPC)
		return t->grpc.status == GRPC_OK;
	return t->http.status >= 100 && t->http.status < 400;
}

/* The route by its address, which a stranger cannot choose as he can a hash of its text. */
static inline uint64_t subject_key(const char *container, const struct transaction *t)
{
	uint64_t place = hash_bytes(container, strlen(container), 0);

	return hash_mix((uintptr_t)t->route, place ^ subject_is_served(t));
}

#endif
