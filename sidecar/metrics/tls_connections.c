/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/tls_connections.h"

#include <stdlib.h>

enum family_id { CONNECTIONS, HANDSHAKES, DARK, PROBES, LOST, EXPIRY, FAMILIES };

static const char *const labels[] = {"reason"};
static const char *const handshake_labels[] = {"role", "version"};

static const struct family_desc descs[FAMILIES] = {
	[CONNECTIONS] = {.name = "sidelight_tls_connections_total",
			 .help = "TLS connections that were read.",
			 .type = METRIC_COUNTER},
	[HANDSHAKES] = {.name = "sidelight_tls_handshakes_total",
			.help = "Complete TLS handshakes of connections that were decrypted.",
			.type = METRIC_COUNTER,
			.label_names = handshake_labels,
			.label_count = 2},
	[DARK] = {.name = "sidelight_tls_connections_dark_total",
		  .help = "TLS connections that were not decrypted, or not to their end.",
		  .type = METRIC_COUNTER,
		  .label_names = labels,
		  .label_count = 1},
	[PROBES] = {.name = "sidelight_tls_probes",
		    .help = "Probes in TLS libraries of processes, now.",
		    .type = METRIC_GAUGE},
	[LOST] = {.name = "sidelight_tls_secrets_lost_total",
		  .help = "Secrets of TLS handshakes that could not be handed over.",
		  .type = METRIC_COUNTER},
	[EXPIRY] = {.name = "sidelight_tls_certificate_expiry_timestamp_seconds",
		    .help = "When the certificate of the newest full handshake of TLS 1.2 expires.",
		    .type = METRIC_GAUGE},
};

/* Why the kernel has muted a TLS connection. */
static const char *const muted_reasons[TLS_REACH_MAX] = {
	[TLS_REACH_OFF] = "off",
	[TLS_REACH_KERNEL] = "kernel",
	[TLS_REACH_NO_LIBRARY] = "no_library",
	[TLS_REACH_PROBED] = "no_library",
};

struct tls_connections {
	struct family *family[FAMILIES];
	enum tls_reach reach;
	uint64_t muted; /* that are counted */
};

struct tls_connections *tls_connections_new(struct registry *r)
{
	struct tls_connections *t = calloc(1, sizeof(*t));

	for (int i = 0; t && i < FAMILIES; i++) {
		t->family[i] = registry_family(r, &descs[i]);
		if (!t->family[i]) {
			tls_connections_free(t);
			return NULL;
		}
	}
	return t;
}

void tls_connections_free(struct tls_connections *t)
{
	free(t);
}

static void refresh_handshakes(struct tls_connections *t, const struct tls_stats *stats)
{
	static const char *const roles[2] = {[DIR_INGRESS] = "server", [DIR_EGRESS] = "client"};
	static const char *const versions[TLS_HANDSHAKE_VERSIONS] = {"1.2", "1.3"};

	for (int client = 0; client < 2; client++)
		for (int version = 0; version < TLS_HANDSHAKE_VERSIONS; version++) {
			const char *const values[] = {roles[client], versions[version]};
			uint64_t count = stats->handshakes[client][version];

			if (count)
				series_set(family_series(t->family[HANDSHAKES], values),
					   (double)count);
		}
}

void tls_connections_refresh(struct tls_connections *t, const struct engine_stats *engine)
{
	uint64_t muted = engine->conns_muted[SL_MUTE_TLS];

	series_set(family_series(t->family[CONNECTIONS], NULL), (double)engine->tls.connections);
	refresh_handshakes(t, &engine->tls);
	if (engine->tls.certificate_expiry)
		series_set(family_series(t->family[EXPIRY], NULL),
			   (double)engine->tls.certificate_expiry);
	for (unsigned i = TLS_FAIL_NONE + 1; i < TLS_FAIL_MAX; i++) {
		const char *reason = tls_fail_name((enum tls_fail)i);

		if (engine->tls.failed[i])
			series_set(family_series(t->family[DARK], &reason),
				   (double)engine->tls.failed[i]);
	}
	if (muted > t->muted)
		series_add(family_series(t->family[DARK], &muted_reasons[t->reach]),
			   (double)(muted - t->muted));
	t->muted = muted;
}

void tls_connections_reach(struct tls_connections *t, const struct engine_stats *engine,
			   enum tls_reach reach, uint32_t probes)
{
	tls_connections_refresh(t, engine);
	t->reach = reach;
	series_set(family_series(t->family[PROBES], NULL), probes);
}

void tls_connections_lost(struct tls_connections *t, uint64_t count)
{
	series_set(family_series(t->family[LOST], NULL), (double)count);
}
