/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/call_kind.h"

#include <string.h>

#include "txn/transaction.h"

static void rule_out_grpc(struct call *call, struct call_kinds *kinds)
{
	call->kind = CALL_HTTP;
	kinds->have_http = true;
}

void call_kind_head(struct call *call, struct call_kinds *kinds, const struct http2_head *head)
{
	if (head->content == HTTP2_CONTENT_GRPC)
		call->kind = CALL_GRPC;
	else if (head->content != HTTP2_CONTENT_NONE || !head->unknown)
		call->kind = CALL_HTTP;
	kinds->have_grpc |= call->kind == CALL_GRPC;
	kinds->have_http |= call->kind == CALL_HTTP;
}

void call_kind_response(struct call *call, struct call_kinds *kinds, const struct http2_head *head)
{
	if (head->content != HTTP2_CONTENT_GRPC && call->kind != CALL_UNSURE)
		return;
	if (head->content == HTTP2_CONTENT_GRPC || head->grpc_status != GRPC_STATUS_NONE) {
		call->kind = CALL_GRPC;
		kinds->have_grpc = true;
	} else if (!call->has_response) {
		call_kind_head(call, kinds, head);
	}
}

bool call_kind_is_grpc_method(const char *known_method)
{
	return known_method == txn_unknown || strcmp(known_method, "POST") == 0;
}

void call_kind_request(struct call *call, struct call_kinds *kinds, bool is_end)
{
	if (call->kind == CALL_UNSURE && (is_end || !call_kind_is_grpc_method(call->known_method)))
		rule_out_grpc(call, kinds);
}

void call_kind_no_trailers(struct call *call, struct call_kinds *kinds)
{
	if (call->kind == CALL_UNSURE)
		rule_out_grpc(call, kinds);
}

static bool has_grpc_messages(const struct call *call, const struct call_kinds *kinds)
{
	const struct grpc_messages *request = &call->messages[0];
	const struct grpc_messages *response = &call->messages[1];

	if (request->is_other || response->is_other)
		return false;
	return grpc_messages_are_whole(request) || grpc_messages_are_whole(response) ||
	       (kinds->have_grpc && !kinds->have_http);
}

void call_kind_end(struct call *call, struct call_kinds *kinds)
{
	if (call->kind == CALL_UNSURE)
		call->kind = has_grpc_messages(call, kinds) ? CALL_GRPC : CALL_HTTP;
	kinds->have_grpc |= call->kind == CALL_GRPC;
}
