/* SPDX-License-Identifier: Apache-2.0 */
#include "export/record_line.h"

#include <stdio.h>

#include "export/header_text.h"
#include "export/json.h"
#include "export/transaction_text.h"
#include "txn/stages.h"

/* Borrows from the record. */
static struct transaction transaction_of(const struct record *e)
{
	struct transaction t = {.protocol = (enum txn_protocol)e->protocol,
				.role = (enum role)e->role,
				.conn_id = e->conn_id,
				.local = &e->local,
				.remote = &e->remote,
				.trace = record_trace(e),
				.known_method = e->known_method,
				.route = e->route,
				.error = e->error,
				.is_probe = e->is_probe,
				.is_tls = e->is_tls,
				.start_ns = e->start_ns,
				.first_byte_ns = e->first_byte_ns,
				.end_ns = e->end_ns,
				.request_bytes = e->request_bytes,
				.response_bytes = e->response_bytes,
				.http = {.version = (enum http_version)e->version,
					 .status = e->status,
					 .stream = e->stream,
					 .method = record_method(e),
					 .target = record_target(e)}};

	if (t.protocol == TXN_GRPC) {
		t.grpc.status = e->grpc_status;
		t.grpc.messages[0] = e->messages[0];
		t.grpc.messages[1] = e->messages[1];
		t.grpc.timeout_ns = 0; /* it is not recorded */
	}
	return t;
}

static void add_stage(struct text *out, enum stage stage, uint64_t ns)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%s_ns", stage_name(stage)); /* has room */
	json_number(out, name, ns, ns != STAGE_UNKNOWN);
}

void record_line_add(struct text *out, const struct record *e, const struct record_line *how)
{
	const struct transaction_text text = {.offset_ns = how->offset_ns,
					      .has_query = how->has_query};
	const struct transaction t = transaction_of(e);
	const struct stages stages =
		stages_of(e->start_ns, e->request_end_ns, e->read_ns, e->first_byte_ns, e->end_ns);

	transaction_text_json(out, &t, &text);
	for (int i = 0; i < STAGE_MAX; i++)
		add_stage(out, (enum stage)i, stages.ns[i]);
	json_number(out, "round_trip_ns", (uint64_t)how->round_trip_us * 1000, how->round_trip_us);
	json_escaped(out, "container", span_of(how->container));
	json_number(out, "process", e->tgid, e->tgid != 0);
	json_number(out, "thread", e->tid, e->tid != 0);
	json_bool(out, "is_cut", e->is_cut);
	if (how->header_names)
		header_text_json(out, how->headers, how->header_names, how->has_query);
	text_add(out, "}\n");
}
