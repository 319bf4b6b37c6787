/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/call_report.h"

#include "txn/candidate.h"
#include "txn/session.h"

static uint16_t grpc_status_of(const struct call *call, enum txn_error error)
{
	if (error == TXN_CLOSED || error == TXN_RESET)
		return GRPC_UNAVAILABLE;
	if (call->grpc_status != GRPC_STATUS_NONE)
		return call->grpc_status;
	if (call->status == TXN_STATUS_UNKNOWN)
		return GRPC_STATUS_HIDDEN;
	return (uint16_t)grpc_status_of_http(call->status);
}

/* Decides the candidates of the call, so that its label values are final. */
static inline const struct call *decided(struct call *call, struct conn *c, enum role role,
					 enum txn_error error)
{
	if (__builtin_expect(call->candidates, 0))
		candidates_decide_call(c, role, call, grpc_status_of(call, error));
	return call;
}

void call_report(struct call *ended, struct conn *c, enum role role, enum txn_error error,
		 uint64_t end_ns)
{
	struct session_env *env = c->owner;
	const struct call *call = decided(ended, c, role, error);
	uint64_t first_ns = call->first_byte_ns ? call->first_byte_ns : call->start_ns;
	/*
	 * Every member is initialised by name: otherwise the compiler clears the struct first,
	 * which costs as much again.
	 */
	struct transaction t = {
		.protocol = TXN_HTTP,
		.role = role,
		.conn_id = c->id,
		.container = c->container,
		.local = &c->local,
		.remote = &c->remote,
		.tid = call->tid,
		.tgid = call->tgid,
		.trace = call->has_trace ? &call->trace : NULL,
		.headers = call->headers,
		.known_method = call->known_method,
		.route = call->route,
		.server_address = call->server_address,
		.server_port = role == ROLE_CLIENT ? c->remote.port : 0,
		.error = error,
		.is_probe = call->is_probe,
		.is_tls = session_is_tls(c),
		.start_ns = call->start_ns,
		.request_end_ns = call->request_end_ns,
		.read_ns = call->read_ns,
		.first_byte_ns = call->first_byte_ns,
		.end_ns = end_ns > first_ns ? end_ns : first_ns,
		.request_bytes = call->request_bytes,
		.response_bytes = call->response_bytes,
		.grpc = {.http = {.version = HTTP_2,
				  .status = call->status,
				  .stream = call->stream,
				  .method = {call->wire, call->wire_method_len},
				  .target = {call->wire ? call->wire + call->wire_method_len : NULL,
					     call->wire_target_len}},
			 .status = 0,
			 .has_uncounted = false,
			 .messages = {0, 0},
			 .timeout_ns = 0},
	};

	if (call->kind == CALL_GRPC) {
		t.protocol = TXN_GRPC;
		t.known_method = txn_grpc;
		t.route = call->rpc_method;
		t.grpc.status = grpc_status_of(call, error);
		t.grpc.timeout_ns = call->timeout_ns;
		for (int i = 0; i < 2; i++) {
			t.grpc.messages[i] = call->messages[i].count;
			t.grpc.has_uncounted |= call->messages[i].is_lost;
		}
	}
	env->stats.transactions++;
	((struct session *)c->user)->requests++;
	sinks_done(&env->sinks, &t);
}
