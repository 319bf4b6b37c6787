/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/open_request.h"

#include "txn/http2_session.h"
#include "txn/http2_streams.h"
#include "txn/session.h"

static void each_exchange(struct conn *c, struct session *s, open_request_fn fn, void *ctx)
{
	for (unsigned i = 0; i < s->open.count; i++) {
		const struct exchange *e = exchanges_at(&s->open, i);
		const struct open_request r = {.role = s->role,
					       .known_method = e->known_method,
					       .route = e->route,
					       .remote = &c->remote,
					       .start_ns = e->start_ns};

		if (e->active && !e->is_lost)
			fn(ctx, &r);
	}
}

static void each_call(struct conn *c, const struct http2_streams *streams, open_request_fn fn,
		      void *ctx)
{
	for (const struct call *call = streams->calls.oldest; call; call = call->newer) {
		bool is_rpc = call->kind == CALL_GRPC;
		const struct open_request r = {.role = streams->role,
					       .known_method =
						       is_rpc ? txn_grpc : call->known_method,
					       .route = is_rpc ? call->rpc_method : call->route,
					       .remote = &c->remote,
					       .start_ns = call->start_ns};

		if (call->active)
			fn(ctx, &r);
	}
}

void open_requests_each(struct conn *c, open_request_fn fn, void *ctx)
{
	struct session *s = (struct session *)c->user;

	each_exchange(c, s, fn, ctx);
	if (s->http2)
		each_call(c, http2_session_streams(s), fn, ctx);
}
