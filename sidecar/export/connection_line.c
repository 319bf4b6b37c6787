/* SPDX-License-Identifier: Apache-2.0 */
#include "export/connection_line.h"

#include <inttypes.h>
#include <uv.h>

#include "export/json.h"
#include "export/transaction_text.h"

struct rows {
	struct text *out;
	const struct connection_lines *from;
	size_t count;
	uint32_t now; /* as channel_socket.opened */
};

static void add_endpoint(struct text *out, const char *name, const struct endpoint *e)
{
	text_addf(out, ",\"%s\":\"", name);
	transaction_text_endpoint(out, e);
	text_add_char(out, '"');
}

static const char *zero_window(const struct channel_socket *s)
{
	bool is_local = s->has_receive_window && s->receive_window == 0;

	if (s->send_window == 0)
		return is_local ? "both" : "peer";
	return is_local ? "local" : NULL;
}

static void add_requests(struct text *out, const struct rows *rows, const struct channel_socket *s)
{
	struct engine_conn conn = {0};
	bool is_known = s->conn_id && engine_find_conn(rows->from->engine, s->conn_id, &conn);

	json_number(out, "requests", conn.requests, is_known);
	json_number(out, "requests_open", conn.requests_open, is_known);
}

static bool add_row(void *ctx, const struct channel_socket *s)
{
	const struct endpoint remote = tcp_sockets_remote(s);
	const struct endpoint local = tcp_sockets_local(s);
	struct rows *rows = ctx;
	struct text *out = rows->out;

	if (rows->count)
		text_add_char(out, ',');
	text_addf(out, "{\"role\":\"%s\"", s->role == SL_ROLE_CLIENT ? "client" : "server");
	if (s->conn_id)
		text_addf(out, ",\"conn\":\"%" PRIx64 "\"", s->conn_id);
	else
		text_add(out, ",\"conn\":null");
	json_escaped(out, "container", span_of(rows->from->container(rows->from->ctx, s->number)));
	add_endpoint(out, "peer", &remote);
	add_endpoint(out, "local", &local);
	json_number(out, "age_ns", (uint64_t)(uint32_t)(rows->now - s->opened) << SL_TIME_SHIFT,
		    s->opened);
	json_number(out, "rtt_ns", (uint64_t)s->srtt_us * 1000, s->srtt_us);
	json_number(out, "retransmits", s->retransmits, true);
	json_number(out, "bytes_received", s->bytes_received, true);
	json_number(out, "bytes_sent", s->bytes_sent, true);
	json_number(out, "limited_ns", s->window_limited_us * 1000, true);
	json_word(out, "zero_window", zero_window(s));
	add_requests(out, rows, s);
	text_add_char(out, '}');
	return ++rows->count < rows->from->rows_max;
}

void connection_line_add(struct text *out, const struct connection_lines *from)
{
	struct rows rows = {
		.out = out, .from = from, .now = (uint32_t)(uv_hrtime() >> SL_TIME_SHIFT) | 1};
	size_t count = tcp_sockets_count(from->sockets);

	text_addf(out, "{\"connections_open\":%zu,\"left_out\":%zu,\"complete\":%s", count,
		  count > from->rows_max ? count - from->rows_max : 0,
		  tcp_sockets_is_cut(from->sockets) ? "false" : "true");
	text_add(out, ",\"connections\":[");
	tcp_sockets_each(from->sockets, add_row, &rows);
	text_add(out, "]}\n");
}
