/* SPDX-License-Identifier: Apache-2.0 */
/* How the exports by OTLP went, for the self metrics; export/otlp.h fills it. */
#ifndef SIDELIGHT_METRICS_OTLP_STATS_H
#define SIDELIGHT_METRICS_OTLP_STATS_H

#include <stdint.h>

enum otlp_result {
	OTLP_OK,
	OTLP_PARTIAL, /* taken, but for some points */
	OTLP_UNREAD, /* taken; how many points were rejected cannot be read in the answer */
	OTLP_REFUSED, /* no connection: name, route, port, reset */
	OTLP_TIMEOUT,
	OTLP_TLS, /* certificate or handshake */
	OTLP_BUSY, /* 429, 502, 503, 504: to be tried again */
	OTLP_REJECTED, /* any other 4xx, or an empty reply */
	OTLP_REDIRECTED, /* 3xx; not followed */
	OTLP_FAILED, /* any other 5xx */
	OTLP_LOCAL, /* could not be tried: credentials unreadable, no memory */
	OTLP_RESULT_MAX,
};

struct otlp_stats {
	uint64_t results[OTLP_RESULT_MAX];
	uint64_t rejected_points; /* of those that were partial */
	uint64_t skipped; /* intervals that passed while an export was under way */
	double last_seconds; /* how long the last one took */
	double last_success; /* when it was, Unix time; 0 never */
};

/* "ok", "partial", ... */
static inline const char *otlp_result_name(enum otlp_result result)
{
	static const char *const names[OTLP_RESULT_MAX] = {
		"ok",	"partial",  "unread",	  "refused", "timeout", "tls",
		"busy", "rejected", "redirected", "failed",  "local"};

	return names[result];
}

#endif
