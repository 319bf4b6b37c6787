/* SPDX-License-Identifier: Apache-2.0 */
#include "export/record_line.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "proto/grpc.h"

#define NSEC_PER_SEC 1000000000

/* ,"name": */
static void add_name(struct text *out, const char *name)
{
	text_add_char(out, ',');
	text_add_char(out, '"');
	text_add(out, name);
	text_add(out, "\":");
}

static void add_number(struct text *out, const char *name, uint64_t value, bool is_known)
{
	char digits[20];
	size_t at = sizeof(digits);

	add_name(out, name);
	if (!is_known) {
		text_add(out, "null");
		return;
	}
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	text_add_span(out, (struct span){digits + at, sizeof(digits) - at});
}

/* Strangers' bytes: as lines_escape() writes them, inside of a JSON string. */
static void add_escaped(struct text *out, struct span s)
{
	size_t start = 0; /* of the bytes before i that need no escape and are not written yet */

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= ' ' && c <= '~' && c != '\\' && c != '"')
			continue;
		text_add_span(out, (struct span){s.ptr + start, i - start});
		start = i + 1;
		if (c == '"')
			text_add(out, "\\\"");
		else if (c == '\\')
			text_add(out, "\\\\\\\\");
		else
			text_addf(out, "\\\\x%02x", c);
	}
	text_add_span(out, span_from(s, start));
}

static void add_string(struct text *out, const char *name, struct span value)
{
	add_name(out, name);
	text_add_char(out, '"');
	add_escaped(out, value);
	text_add_char(out, '"');
}

/* NULL: null. A word of ours. */
static void add_word(struct text *out, const char *name, const char *word)
{
	add_name(out, name);
	if (word) {
		text_add_char(out, '"');
		text_add(out, word);
		text_add_char(out, '"');
	} else {
		text_add(out, "null");
	}
}

static void add_bool(struct text *out, const char *name, bool value)
{
	add_name(out, name);
	text_add(out, value ? "true" : "false");
}

static void add_endpoint(struct text *out, const char *name, const struct endpoint *e)
{
	char addr[INET6_ADDRSTRLEN];

	if (!inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->addr, addr, sizeof(addr)))
		addr[0] = '\0'; /* cannot be: the buffer holds any address */
	add_name(out, name);
	text_addf(out, e->family == 6 ? "\"[%s]:%u\"" : "\"%s:%u\"", addr, e->port);
}

static void add_time(struct text *out, int64_t ns)
{
	time_t sec = ns < 0 ? 0 : ns / NSEC_PER_SEC;
	struct tm tm;

	if (!gmtime_r(&sec, &tm))
		tm = (struct tm){0};
	text_addf(out, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09uZ\"", tm.tm_year + 1900,
		  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		  ns < 0 ? 0 : (unsigned)(ns % NSEC_PER_SEC));
}

static struct span shown_target(const struct record *e, bool has_query)
{
	struct span target = record_target(e);
	const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;

	if (query && !has_query)
		target.len = (size_t)(query - target.ptr);
	return target;
}

static void add_grpc(struct text *out, const struct record *e)
{
	bool is_grpc = e->protocol == TXN_GRPC;
	char digits[GRPC_STATUS_SIZE];

	add_word(out, "rpc_status", is_grpc ? grpc_status_name(e->grpc_status, digits) : NULL);
	add_number(out, "request_messages", e->messages[0], is_grpc);
	add_number(out, "response_messages", e->messages[1], is_grpc);
}

/* A template of a path in which a question mark was encoded may hold what follows it. */
static void add_route(struct text *out, struct span route)
{
	char redacted[REDACT_TARGET_MAX];
	bool is_cut;

	if (route.len && memchr(route.ptr, '%', route.len))
		route = (struct span){redacted,
				      redact_target(route, redacted, sizeof(redacted), &is_cut)};
	add_string(out, "route", route);
}

void record_line_add(struct text *out, const struct record *e, const char *container,
		     int64_t offset_ns, bool has_query)
{
	static const char *const versions[] = {
		[HTTP_1_0] = "1.0", [HTTP_1_1] = "1.1", [HTTP_2] = "2"};
	bool is_server = e->role == ROLE_SERVER;

	add_time(out, (int64_t)e->start_ns + offset_ns);
	add_word(out, "role", is_server ? "server" : "client");
	add_string(out, "container", span_of(container));
	add_name(out, "conn");
	text_addf(out, "\"%llx\"", (unsigned long long)e->conn_id);
	add_endpoint(out, "client", is_server ? &e->remote : &e->local);
	add_endpoint(out, "server", is_server ? &e->local : &e->remote);
	add_string(out, "method", record_method(e));
	if (e->target_len)
		add_string(out, "target", shown_target(e, has_query));
	else
		add_word(out, "target", NULL);
	add_route(out, span_of(e->route));
	add_word(out, "scheme", e->is_tls ? "https" : "http");
	add_word(out, "version", versions[e->version]);
	add_number(out, "status", e->status, e->status > TXN_STATUS_UNKNOWN);
	add_word(out, "error", e->error ? txn_error_name((enum txn_error)e->error) : NULL);
	add_number(out, "duration_ns", e->end_ns - e->start_ns, true);
	add_number(out, "first_byte_ns", e->first_byte_ns - e->start_ns, e->first_byte_ns != 0);
	add_number(out, "request_bytes", e->request_bytes, true);
	add_number(out, "response_bytes", e->response_bytes, true);
	add_bool(out, "probe", e->is_probe);
	add_number(out, "stream", e->stream, e->stream != 0);
	add_number(out, "thread", e->tid, e->tid != 0);
	add_grpc(out, e);
	add_bool(out, "is_cut", e->is_cut);
	text_add(out, "}\n");
}
