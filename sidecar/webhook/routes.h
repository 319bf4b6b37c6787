/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is served where.
 *
 *     POST /mutate-pod                 reviews of Pods
 *     POST /mutate-workload            reviews of Deployments and the like
 *     POST /mutate-pod/baseline        the same, for namespaces that enforce the
 *     POST /mutate-workload/baseline   Pod Security Standard "baseline" or "restricted"
 *     GET  /healthz /readyz /metrics
 *
 * A review does not tell the namespace's labels, but a webhook configuration has
 * selectors for them: one with namespaceSelector
 * "pod-security.kubernetes.io/enforce In (baseline, restricted)" is given the
 * paths in .../baseline. Pods of such a namespace would be refused
 * with our capabilities, and are left as they are, with a warning.
 */
#ifndef SIDELIGHT_WEBHOOK_ROUTES_H
#define SIDELIGHT_WEBHOOK_ROUTES_H

#include "webhook/http.h"
#include "webhook/stats.h"

struct routes_state {
	const struct values *defaults;
	struct stats stats;
	struct http *tls; /* NULL until it serves */
	bool is_draining;
};

/* One listener's: ctx of struct http_options. */
struct routes {
	struct routes_state *state;
	bool has_reviews; /* else only GET is served */
};

unsigned routes_refuse(void *ctx, const struct http_request *r);
void routes_answer(void *ctx, const struct http_request *r, struct http_answer *a);

#endif
