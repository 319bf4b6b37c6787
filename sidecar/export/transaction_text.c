/* SPDX-License-Identifier: Apache-2.0 */
#include "export/transaction_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "export/json.h"
#include "proto/grpc.h"

#define NSEC_PER_SEC 1000000000

void transaction_text_escape(struct text *out, struct span s)
{
	size_t start = 0; /* of the bytes before i that need no escape and are not written yet */

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= ' ' && c <= '~' && c != '\\')
			continue;
		text_add_span(out, (struct span){s.ptr + start, i - start});
		start = i + 1;
		if (c == '\\')
			text_add(out, "\\\\");
		else
			text_addf(out, "\\x%02x", c);
	}
	text_add_span(out, span_from(s, start));
}

void transaction_text_endpoint(struct text *out, const struct endpoint *e)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->addr, addr, sizeof(addr)))
		addr[0] = '\0'; /* cannot be: the buffer holds any address */
	text_addf(out, e->family == 6 ? "[%s]:%u" : "%s:%u", addr, e->port);
}

struct span transaction_text_target(const struct transaction *t, const struct transaction_text *how)
{
	struct span target = t->http.target;
	const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;

	if (query && !how->has_query)
		target.len = (size_t)(query - target.ptr);
	return target;
}

unsigned transaction_text_time(uint64_t time_ns, const struct transaction_text *how, struct tm *ret)
{
	int64_t ns = (int64_t)time_ns + how->offset_ns;
	time_t sec = ns < 0 ? 0 : ns / NSEC_PER_SEC;

	if (!gmtime_r(&sec, ret))
		*ret = (struct tm){0};
	return ns < 0 ? 0 : (unsigned)(ns % NSEC_PER_SEC);
}

static void add_endpoint(struct text *out, const char *name, const struct endpoint *e)
{
	text_addf(out, ",\"%s\":\"", name);
	transaction_text_endpoint(out, e);
	text_add_char(out, '"');
}

/* NULL: the transaction is no gRPC call. */
static void add_grpc(struct text *out, const struct txn_grpc *call)
{
	char digits[GRPC_STATUS_SIZE];

	json_word(out, "rpc_status", call ? grpc_status_name(call->status, digits) : NULL);
	json_number(out, "request_messages", call ? call->messages[0] : 0, call);
	json_number(out, "response_messages", call ? call->messages[1] : 0, call);
	json_number(out, "timeout_ns", call ? call->timeout_ns : 0, call && call->timeout_ns);
}

static void add_id(struct text *out, const char *name, const uint8_t *id, size_t len)
{
	text_addf(out, ",\"%s\":\"", name);
	text_add_hex(out, id, len);
	text_add_char(out, '"');
}

void transaction_text_json(struct text *out, const struct transaction *t,
			   const struct transaction_text *how)
{
	static const char *const versions[] = {
		[HTTP_1_0] = "1.0", [HTTP_1_1] = "1.1", [HTTP_2] = "2"};
	bool is_server = t->role == ROLE_SERVER;
	struct tm tm;
	unsigned nsec = transaction_text_time(t->start_ns, how, &tm);

	text_addf(out, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09uZ\"", tm.tm_year + 1900,
		  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, nsec);
	json_word(out, "role", is_server ? "server" : "client");
	text_addf(out, ",\"conn\":\"%" PRIx64 "\"", t->conn_id);
	add_endpoint(out, "client", is_server ? t->remote : t->local);
	add_endpoint(out, "server", is_server ? t->local : t->remote);
	json_escaped(out, "method", txn_method(t));
	if (t->http.target.len)
		json_escaped(out, "target", transaction_text_target(t, how));
	else
		json_word(out, "target", NULL);
	json_escaped(out, "route", span_of(t->route));
	json_word(out, "version", versions[t->http.version]);
	json_number(out, "status", t->http.status, t->http.status > TXN_STATUS_UNKNOWN);
	json_word(out, "error", t->error ? txn_error_name(t->error) : NULL);
	json_number(out, "duration_ns", t->end_ns - t->start_ns, true);
	json_number(out, "first_byte_ns", t->first_byte_ns - t->start_ns, t->first_byte_ns != 0);
	json_number(out, "request_bytes", t->request_bytes, true);
	json_number(out, "response_bytes", t->response_bytes, true);
	json_bool(out, "probe", t->is_probe);
	json_number(out, "stream", t->http.stream, t->http.stream != 0);
	add_grpc(out, t->protocol == TXN_GRPC ? &t->grpc : NULL);
	if (t->is_tls)
		json_word(out, "scheme", "https");
	if (t->trace) {
		add_id(out, "trace_id", t->trace->trace_id, sizeof(t->trace->trace_id));
		add_id(out, "span_id", t->trace->span_id, sizeof(t->trace->span_id));
	}
}
