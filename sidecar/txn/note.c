/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/note.h"

#include <string.h>

#include "proto/grpc.h"
#include "proto/method.h"
#include "txn/call_kind.h"
#include "txn/candidate.h"

const char note_unknown_rpc[] = "unknown";

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

struct message_note *note_find(struct conn *c, enum role role, const struct message *m,
			       struct message_note *own)
{
	struct session_env *env = env_of(c);
	struct message_note *note = m->note ? m->note : own;
	uint64_t owner = env->number << 1 | (role == ROLE_CLIENT);
	bool is_candidate;

	if (m->note && m->note->owner == owner)
		return note;
	note->known_method = method_known(m->method);
	note->route = routes_find(env->routes, role, m->target, &c->memory, &is_candidate);
	note->candidates = is_candidate ? CANDIDATE_ROUTE : 0;
	note->is_head = span_is(m->method, "HEAD");
	note->is_connect = span_is(m->method, "CONNECT");
	note->is_grpc_web = grpc_is_web_content_type(m->content_type);
	note->is_probe = role == ROLE_SERVER && span_starts(m->user_agent, "kube-probe/");
	note->active = &env->actives.cell[0]; /* a guess */
	/* Each request beyond the cap of routes is to be counted there, and each candidate's too.
	 */
	note->owner = note->route != label_other && !is_candidate ? owner : 0;
	return note;
}

/* Each of its own: another request that asks for the same is another holder. */
static void find_values(struct conn *c, enum role role, enum call_kind kind,
			const struct http2_head *head)
{
	struct session_env *env = env_of(c);
	struct http2_note *note = head->note;
	bool is_candidate;

	if (role == ROLE_CLIENT) {
		note->server_address = addresses_find(env->addresses, head->authority, &c->remote,
						      &c->memory, &is_candidate);
		note->candidates |= is_candidate ? CANDIDATE_ADDRESS : 0;
	}
	if (!head->has_path && head->unknown)
		return;
	/* An extended CONNECT has a path (RFC 8441 section 4). */
	if (kind != CALL_GRPC && head->is_connect && !head->has_path) {
		note->route = ROUTE_AUTHORITY;
	} else if (kind != CALL_GRPC) {
		note->route = routes_find(env->routes, role, head->path, &c->memory, &is_candidate);
		note->candidates |= is_candidate ? CANDIDATE_ROUTE : 0;
	}
	if (kind == CALL_GRPC ||
	    (kind == CALL_UNSURE && call_kind_is_grpc_method(note->known_method))) {
		note->rpc_method = rpc_methods_find(env->rpc_methods, role, head->path, &c->memory,
						    &is_candidate);
		note->candidates |= is_candidate ? CANDIDATE_METHOD : 0;
	}
}

const struct http2_note *note_find_http2(struct conn *c, enum role role, enum call_kind kind,
					 const struct http2_head *head)
{
	struct http2_note *note = head->note;
	uint64_t number = env_of(c)->number;
	bool is_final;

	if (note->generation == number)
		return note;
	*note = (struct http2_note){
		.known_method = txn_unknown,
		.route = txn_unknown,
		.rpc_method = note_unknown_rpc,
		.server_address = "",
		.active = &env_of(c)->actives.cell[0], /* a guess */
	};
	if (head->has_method || !head->unknown)
		note->known_method = method_known(head->method);
	find_values(c, role, kind, head);
	/* Each request beyond a cap is to be counted there, and each candidate's too. */
	is_final = !note->candidates && note->route != label_other &&
		   note->rpc_method != label_other && note->server_address != label_other;
	/* A head of this generation is not decoded again, and has no target then. */
	if (is_final && !session_needs_target(env_of(c)))
		note->generation = number;
	return note;
}
