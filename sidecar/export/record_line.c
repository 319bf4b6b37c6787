/* SPDX-License-Identifier: Apache-2.0 */
#include "export/record_line.h"

#include "export/json.h"
#include "export/transaction_text.h"

/* Borrows from the record. */
static struct transaction transaction_of(const struct record *e)
{
	struct transaction t = {.protocol = (enum txn_protocol)e->protocol,
				.role = (enum role)e->role,
				.conn_id = e->conn_id,
				.local = &e->local,
				.remote = &e->remote,
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

void record_line_add(struct text *out, const struct record *e, const char *container,
		     int64_t offset_ns, bool has_query)
{
	const struct transaction_text how = {.offset_ns = offset_ns, .has_query = has_query};
	const struct transaction t = transaction_of(e);

	transaction_text_json(out, &t, &how);
	json_escaped(out, "container", span_of(container));
	json_number(out, "thread", e->tid, e->tid != 0);
	json_bool(out, "is_cut", e->is_cut);
	text_add(out, "}\n");
}
