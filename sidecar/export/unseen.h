/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a run has seen no HTTP request, in one line with numbers:
 *
 *     no HTTP requests seen: 3 connections, all TLS
 *     no HTTP requests seen: 5 connections, 4 look like PostgreSQL, 1 TLS
 *     no HTTP requests seen: no connections that carried data; 2 sockets whose traffic passes no
 *     hook
 */
#ifndef SIDELIGHT_EXPORT_UNSEEN_H
#define SIDELIGHT_EXPORT_UNSEEN_H

#include "base/text.h"
#include "metrics/no_requests.h"
#include "txn/engine.h"

/* Without an end of line. */
void unseen_add(struct text *out, const struct engine_stats *stats,
		const struct no_requests_world *world);

#endif
