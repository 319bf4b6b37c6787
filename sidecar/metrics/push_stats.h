/* SPDX-License-Identifier: Apache-2.0 */
/* How the pushes to a gateway went, for the self metrics; export/push.h fills it. */
#ifndef SIDELIGHT_METRICS_PUSH_STATS_H
#define SIDELIGHT_METRICS_PUSH_STATS_H

#include <stdint.h>

enum push_result {
	PUSH_OK,
	PUSH_REFUSED, /* no connection: name, route, port, reset */
	PUSH_TIMEOUT,
	PUSH_TLS, /* certificate or handshake */
	PUSH_REJECTED, /* the gateway does not take the body: 4xx, or an empty reply */
	PUSH_REDIRECTED, /* 3xx; not followed */
	PUSH_FAILED, /* 5xx */
	PUSH_LOCAL, /* could not be tried: credentials unreadable, no memory */
	PUSH_RESULT_MAX,
};

/* Who writes to our group of the gateway, as far as that was looked at. */
enum push_group {
	PUSH_GROUP_OWN, /* nobody else between two pushes */
	PUSH_GROUP_FOREIGN, /* somebody else pushed to it */
	PUSH_GROUP_GONE, /* deleted by somebody, or the gateway started anew */
	PUSH_GROUP_UNREAD, /* the gateway did not tell */
	PUSH_GROUP_MAX,
};

struct push_stats {
	uint64_t results[PUSH_RESULT_MAX];
	uint64_t groups[PUSH_GROUP_MAX];
	uint64_t protobuf_refused; /* pushes; see export/push_format.h */
	uint64_t skipped; /* intervals that passed while a push was under way */
	double last_seconds; /* how long the last one took */
	double last_success; /* when it was, Unix time; 0 never */
};

/* "ok", "refused", ... */
static inline const char *push_result_name(enum push_result result)
{
	static const char *const names[PUSH_RESULT_MAX] = {
		"ok", "refused", "timeout", "tls", "rejected", "redirected", "failed", "local"};

	return names[result];
}

static inline const char *push_group_name(enum push_group group)
{
	static const char *const names[PUSH_GROUP_MAX] = {"own", "foreign", "gone", "unread"};

	return names[group];
}

#endif
