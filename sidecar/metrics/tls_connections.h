/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics about TLS connections: those that were decrypted, and why others were not. */
#ifndef SIDELIGHT_METRICS_TLS_CONNECTIONS_H
#define SIDELIGHT_METRICS_TLS_CONNECTIONS_H

#include <stdint.h>

#include "broker/channel.h"
#include "metrics/registry.h"
#include "txn/engine.h"

struct tls_connections;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct tls_connections *tls_connections_new(struct registry *r);
/* Accepts NULL. */
void tls_connections_free(struct tls_connections *t);

/* Brings everything up to date. */
void tls_connections_refresh(struct tls_connections *t, const struct engine_stats *engine);

/*
 * From now on secrets come of these connections. The kernel mutes TLS connections until a probe is
 * attached; those that it has muted before count for the reach before.
 */
void tls_connections_reach(struct tls_connections *t, const struct engine_stats *engine,
			   enum tls_reach reach, uint32_t probes);
/* So many secrets were lost, since the start. */
void tls_connections_lost(struct tls_connections *t, uint64_t count);

#endif
