/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/candidate.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

const char *candidates_find_address(struct conn *c, struct exchange *e, struct span host)
{
	bool is_candidate;
	const char *address =
		addresses_find(env_of(c)->addresses, host, &c->remote, &c->memory, &is_candidate);

	if (is_candidate)
		e->candidates |= CANDIDATE_ADDRESS;
	return address;
}

static const char *decide_address(struct conn *c, const char *address, enum label_evidence evidence)
{
	if (evidence == LABEL_REFUSED)
		evidence = LABEL_NO_EVIDENCE;
	return label_values_decide(env_of(c)->addresses, ROLE_CLIENT, address, &c->memory,
				   evidence);
}

static const char *decide_route(struct conn *c, enum role role, const char *route,
				enum label_evidence evidence)
{
	return label_values_decide(env_of(c)->route_names, role, route, &c->memory, evidence);
}

static const char *decide_method(struct conn *c, enum role role, const char *method,
				 enum label_evidence evidence)
{
	return label_values_decide(env_of(c)->rpc_methods, role, method, &c->memory, evidence);
}

void candidates_decide_exchange(struct conn *c, enum role role, struct exchange *e)
{
	enum label_evidence evidence = label_evidence_of_http(e->status);

	if (e->candidates & CANDIDATE_ROUTE)
		e->route = decide_route(c, role, e->route, evidence);
	if (e->candidates & CANDIDATE_ADDRESS)
		e->server_address = decide_address(c, e->server_address, evidence);
	e->candidates = 0;
}

void candidates_drop_exchange(struct conn *c, struct exchange *e)
{
	if (e->candidates & CANDIDATE_ROUTE)
		label_values_drop(env_of(c)->route_names, e->route, &c->memory);
	if (e->candidates & CANDIDATE_ADDRESS)
		label_values_drop(env_of(c)->addresses, e->server_address, &c->memory);
	e->candidates = 0;
}

void candidates_decide_call(struct conn *c, enum role role, struct call *call, uint16_t grpc_status)
{
	bool is_rpc = call->kind == CALL_GRPC;
	enum label_evidence evidence =
		is_rpc ? label_evidence_of_grpc(grpc_status) : label_evidence_of_http(call->status);

	if (call->candidates & CANDIDATE_ADDRESS)
		call->server_address = decide_address(c, call->server_address, evidence);
	if (call->candidates & CANDIDATE_METHOD && is_rpc)
		call->rpc_method = decide_method(c, role, call->rpc_method, evidence);
	if (call->candidates & CANDIDATE_ROUTE && !is_rpc)
		call->route = decide_route(c, role, call->route, evidence);
	call->candidates &= is_rpc ? CANDIDATE_ROUTE : CANDIDATE_METHOD;
	candidates_drop_call(c, call);
}

void candidates_drop_call(struct conn *c, struct call *call)
{
	if (call->candidates & CANDIDATE_ROUTE)
		label_values_drop(env_of(c)->route_names, call->route, &c->memory);
	if (call->candidates & CANDIDATE_METHOD)
		label_values_drop(env_of(c)->rpc_methods, call->rpc_method, &c->memory);
	if (call->candidates & CANDIDATE_ADDRESS)
		label_values_drop(env_of(c)->addresses, call->server_address, &c->memory);
	call->candidates = 0;
}

void candidates_decide_method(struct conn *c, enum role role, struct call *call)
{
	call->rpc_method = decide_method(c, role, call->rpc_method, LABEL_SERVED);
	call->candidates &= (uint8_t)~CANDIDATE_METHOD;
}
