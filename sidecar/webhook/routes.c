/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/routes.h"

#include <string.h>
#include <strings.h>
#include <uv.h>

#include "webhook/budget.h"
#include "webhook/cert.h"

enum {
	STATUS_OK = 200,
	STATUS_BAD_REQUEST = 400,
	STATUS_NOT_FOUND = 404,
	STATUS_METHOD = 405,
	STATUS_SIZE = 413,
	STATUS_TYPE = 415,
	STATUS_EXPECTATION = 417,
	STATUS_HEAD_SIZE = 431,
	STATUS_NOT_IMPLEMENTED = 501,
	STATUS_UNAVAILABLE = 503,
	STATUS_VERSION = 505,
};

struct route {
	const char *path;
	void (*get)(const struct routes_state *state, struct http_answer *a); /* NULL: a review */
	enum review_target target;
	/* What the namespaces say that the webhook configuration selects for it. */
	enum { LABEL_NONE, LABEL_PRIVILEGED, LABEL_RESTRICTED } label;
};

static void get_health(const struct routes_state *state, struct http_answer *a)
{
	(void)state;
	text_add(&a->body, "ok\n");
}

static void get_ready(const struct routes_state *state, struct http_answer *a)
{
	a->status = state->tls && !state->is_draining ? STATUS_OK : STATUS_UNAVAILABLE;
	text_add(&a->body, state->is_draining ? "going away\n"
			   : state->tls	      ? "ready\n"
					      : "not serving yet\n");
}

static void get_metrics(const struct routes_state *state, struct http_answer *a)
{
	struct stats_state s = {.cert_expiry = cert_expiry()};

	for (int i = 0; i < BUDGET_SHARE_MAX; i++) {
		s.memory_bytes[i] = budget_used((enum budget_share)i);
		s.memory_refused[i] = budget_refused((enum budget_share)i);
	}
	if (state->tls) {
		s.connections = http_connections(state->tls);
		s.requests = http_requests(state->tls);
		for (int i = 0; i < DROP_MAX; i++)
			s.dropped[i] = http_dropped(state->tls, (enum http_drop)i);
	}
	a->type = STATS_TYPE;
	stats_print(&state->stats, &s, &a->body);
}

static const struct route table[] = {
	{"/mutate-pod", NULL, REVIEW_POD, LABEL_NONE},
	{"/mutate-workload", NULL, REVIEW_WORKLOAD, LABEL_NONE},
	{"/mutate-pod/privileged", NULL, REVIEW_POD, LABEL_PRIVILEGED},
	{"/mutate-workload/privileged", NULL, REVIEW_WORKLOAD, LABEL_PRIVILEGED},
	{"/mutate-pod/baseline", NULL, REVIEW_POD, LABEL_RESTRICTED},
	{"/mutate-workload/baseline", NULL, REVIEW_WORKLOAD, LABEL_RESTRICTED},
	{"/healthz", get_health, 0, LABEL_NONE},
	{"/readyz", get_ready, 0, LABEL_NONE},
	{"/metrics", get_metrics, 0, LABEL_NONE},
};

static const struct route *find(const struct routes *routes, const char *path)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].path, path) == 0)
			return table[i].get || routes->has_reviews ? &table[i] : NULL;
	return NULL;
}

/* application/json, perhaps with parameters. */
static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;

	return strncasecmp(type, json, len) == 0 && strchr(" \t;", type[len]);
}

unsigned routes_refuse(void *ctx, const struct http_request *r)
{
	const struct route *route = find(ctx, r->path);

	if (!route)
		return STATUS_NOT_FOUND;
	if (route->get)
		return strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0
			       ? STATUS_METHOD
			       : 0;
	if (strcmp(r->method, "POST") != 0)
		return STATUS_METHOD;
	return is_json(r->content_type) ? 0 : STATUS_TYPE;
}

static void answer_refusal(struct routes_state *state, const struct route *route,
			   struct http_answer *a)
{
	struct stats *s = &state->stats;

	switch (a->status) {
	case STATUS_METHOD:
		s->refused[REFUSED_METHOD]++;
		a->allow = route->get ? "GET, HEAD" : "POST";
		text_addf(&a->body, "only %s\n", a->allow);
		break;
	case STATUS_TYPE:
		s->refused[REFUSED_TYPE]++;
		text_add(&a->body, "a review is application/json\n");
		break;
	case STATUS_SIZE:
		s->refused[REFUSED_SIZE]++;
		text_addf(&a->body, "a review has at most %u bytes\n", REVIEW_BYTES_MAX);
		break;
	case STATUS_UNAVAILABLE:
		s->refused[REFUSED_BUSY]++;
		text_add(&a->body, "too much at once; try again\n");
		break;
	case STATUS_BAD_REQUEST:
	case STATUS_EXPECTATION:
	case STATUS_HEAD_SIZE:
	case STATUS_NOT_IMPLEMENTED:
	case STATUS_VERSION:
		s->refused[REFUSED_MALFORMED]++;
		text_add(&a->body, "not a request that RFC 9112 allows, or a larger head than "
				   "this server takes\n");
		break;
	default:
		text_add(&a->body, "no such page; reviews: /mutate-pod, /mutate-workload\n");
	}
}

static void answer_review(struct routes_state *state, const struct route *route,
			  const struct http_request *r, struct http_answer *a)
{
	const struct reviewer reviewer = {.defaults = state->defaults,
					  .target = route->target,
					  .is_restricted = route->label == LABEL_RESTRICTED,
					  .is_unlabelled = route->label == LABEL_NONE};
	uint64_t start = uv_hrtime();
	enum review_result result = review_answer(&reviewer, r->body, &a->body);

	stats_count(&state->stats, route->target, result, uv_hrtime() - start);
	a->status = result == RESULT_MALFORMED	 ? STATUS_BAD_REQUEST
		    : result == RESULT_NO_MEMORY ? STATUS_UNAVAILABLE
						 : STATUS_OK;
	if (a->status == STATUS_OK)
		a->type = "application/json";
	else
		text_add_char(&a->body, '\n');
}

void routes_answer(void *ctx, const struct http_request *r, struct http_answer *a)
{
	const struct routes *routes = ctx;
	const struct route *route = find(routes, r->path);

	if (a->status) {
		answer_refusal(routes->state, route, a);
		return;
	}
	a->status = STATUS_OK;
	if (route->get)
		route->get(routes->state, a);
	else
		answer_review(routes->state, route, r, a);
}
