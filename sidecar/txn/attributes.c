/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/attributes.h"

#include <string.h>

#include "proto/grpc.h"
#include "proto/method.h"
#include "txn/call_kind.h"
#include "txn/candidate.h"

const char attributes_unknown_rpc[] = "unknown";

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

struct http1_attributes *attributes_find(struct conn *c, enum role role, const struct message *m,
					 struct http1_attributes *own)
{
	struct session_env *env = env_of(c);
	struct http1_attributes *attributes = m->attributes ? m->attributes : own;
	uint64_t generation = env->number << 1 | (role == ROLE_CLIENT);
	bool is_candidate;

	if (m->attributes && m->attributes->generation == generation)
		return attributes;
	attributes->known_method = method_known(m->method);
	attributes->route = routes_find(env->routes, role, m->target, &c->memory, &is_candidate);
	attributes->candidates = is_candidate ? CANDIDATE_ROUTE : 0;
	attributes->is_head = span_is(m->method, "HEAD");
	attributes->is_connect = span_is(m->method, "CONNECT");
	attributes->is_grpc_web = grpc_is_web_content_type(m->content_type);
	attributes->is_probe = role == ROLE_SERVER && span_starts(m->user_agent, "kube-probe/");
	attributes->active = &env->actives.cell[0]; /* a guess, checked by active_is() */
	/* Not cached if beyond the cap of routes, or a candidate: each such request is counted. */
	attributes->generation = attributes->route != label_other && !is_candidate ? generation : 0;
	return attributes;
}

/* Finds the label values. Each request has to be a holder of its candidates itself. */
static void find_values(struct conn *c, enum role role, enum call_kind kind,
			const struct http2_head *head)
{
	struct session_env *env = env_of(c);
	struct http2_attributes *attributes = head->attributes;
	bool is_candidate;

	if (role == ROLE_CLIENT) {
		attributes->server_address = addresses_find(env->addresses, head->authority,
							    &c->remote, &c->memory, &is_candidate);
		attributes->candidates |= is_candidate ? CANDIDATE_ADDRESS : 0;
	}
	if (!head->has_path && head->unknown)
		return;
	/* An extended CONNECT has a path (RFC 8441 section 4). */
	if (kind != CALL_GRPC && head->is_connect && !head->has_path) {
		attributes->route = ROUTE_AUTHORITY;
	} else if (kind != CALL_GRPC) {
		attributes->route =
			routes_find(env->routes, role, head->path, &c->memory, &is_candidate);
		attributes->candidates |= is_candidate ? CANDIDATE_ROUTE : 0;
	}
	if (kind == CALL_GRPC ||
	    (kind == CALL_UNSURE && call_kind_is_grpc_method(attributes->known_method))) {
		attributes->rpc_method = rpc_methods_find(env->rpc_methods, role, head->path,
							  &c->memory, &is_candidate);
		attributes->candidates |= is_candidate ? CANDIDATE_METHOD : 0;
	}
}

const struct http2_attributes *attributes_find_http2(struct conn *c, enum role role,
						     enum call_kind kind,
						     const struct http2_head *head)
{
	struct http2_attributes *attributes = head->attributes;
	uint64_t number = env_of(c)->number;
	bool is_final;

	if (attributes->generation == number)
		return attributes;
	*attributes = (struct http2_attributes){
		.known_method = txn_unknown,
		.route = txn_unknown,
		.rpc_method = attributes_unknown_rpc,
		.server_address = "",
		.active = &env_of(c)->actives.cell[0], /* a guess, checked by active_is() */
	};
	if (head->has_method || !head->unknown)
		attributes->known_method = method_known(head->method);
	find_values(c, role, kind, head);
	/* Not cached if beyond a cap, or with a candidate: each such request is counted. */
	is_final = !attributes->candidates && attributes->route != label_other &&
		   attributes->rpc_method != label_other &&
		   attributes->server_address != label_other;
	/* A head of this generation is not decoded again: without a cached target it has none. */
	if (is_final && (head->keeps_target || !session_needs_target(env_of(c))))
		attributes->generation = number;
	return attributes;
}
