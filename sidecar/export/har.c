/* SPDX-License-Identifier: Apache-2.0 */
#include "export/har.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/span.h"
#include "export/request_fields.h"

/* Appends s as a JSON string's content. */
static void add_content(struct text *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			text_add_char(out, '\\');
		if (c >= ' ' && c <= '~')
			text_add_char(out, *s);
		else
			text_addf(out, "\\u%04x", c);
	}
}

/* `,"name":"value"`; nothing if there is none. */
static void add_extra(struct text *out, const char *name, const char *value)
{
	if (!*value)
		return;
	text_addf(out, ",\"%s\":\"", name);
	add_content(out, value);
	text_add_char(out, '"');
}

/* A byte that the sidecar has escaped as `\xNN`, or -1. */
static int escaped_byte(const char *s)
{
	char digits[3] = "";
	char *end;
	long byte;

	if (strncmp(s, "\\x", 2) != 0 || strlen(s) < 4)
		return -1;
	memcpy(digits, s + 2, 2);
	byte = strtol(digits, &end, 16);
	return *end ? -1 : (int)byte;
}

static bool is_of_uri(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c && strchr("-._~:/?@!$&'()*+,;=%", c));
}

/*
 * The characters of RFC 3986, and all others percent-encoded. A `%` that encodes nothing is encoded
 * itself, so that the URL is one, whatever the target was.
 */
static void add_uri(struct text *out, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		int byte = escaped_byte(s);
		bool is_backslash = strncmp(s, "\\\\", 2) == 0;

		if (byte >= 0) {
			text_addf(out, "%%%02X", (unsigned)byte);
			s += 4;
			continue;
		}
		if (is_of_uri(*s) && (*s != '%' || (strspn(s + 1, "0123456789abcdefABCDEF") >= 2)))
			text_add_char(out, *s);
		else
			text_addf(out, "%%%02X", (unsigned char)*s);
		s += is_backslash ? 2 : 1;
	}
}

static bool is_absolute(const char *target)
{
	return strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0;
}

/* The characters of s up to the first that is not one of these. */
static void add_address(struct text *out, const char *s, const char *characters)
{
	text_add_span(out, (struct span){s, strspn(s, characters)});
}

static void add_url(struct text *out, const cJSON *request)
{
	const char *target = request_string(request, "target");
	const char *scheme = request_string(request, "scheme");

	if (!*target)
		target = request_string(request, "route");
	if (!is_absolute(target)) {
		text_add(out, strcmp(scheme, "https") == 0 ? "https://" : "http://");
		add_address(out, request_string(request, "server"), "0123456789abcdef.:[]");
		text_add(out, *target == '/' ? "" : "/");
	}
	add_uri(out, target, strlen(target));
}

/* Names and values as they are in the URL. */
static void add_query(struct text *out, const char *target)
{
	const char *at = strchr(target, '?');

	for (bool is_first = true; at && *++at; is_first = false) {
		size_t len = strcspn(at, "&");
		const char *equals = memchr(at, '=', len);
		size_t name = equals ? (size_t)(equals - at) : len;

		text_add(out, is_first ? "{\"name\":\"" : ",{\"name\":\"");
		add_uri(out, at, name);
		text_add(out, "\",\"value\":\"");
		if (equals)
			add_uri(out, equals + 1, len - name - 1);
		text_add(out, "\"}");
		at += len;
		if (!*at)
			break;
	}
}

static void add_version(struct text *out, const cJSON *request)
{
	text_add(out, ",\"httpVersion\":\"HTTP/");
	add_content(out, request_string(request, "version"));
	text_add_char(out, '"');
}

/* The fields of a member of header_text.h. */
static void add_headers(struct text *out, const cJSON *request, const char *member)
{
	const char *separator = "";
	const cJSON *field;

	cJSON_ArrayForEach(field, request_member(request, member))
	{
		text_addf(out, "%s{\"name\":\"", separator);
		add_content(out, request_string(field, "name"));
		text_add(out, "\",\"value\":\"");
		add_content(out, request_string(field, "value"));
		text_add(out, "\"}");
		separator = ",";
	}
}

/* `,"_name":[...]`; nothing if there are none. */
static void add_trailers(struct text *out, const cJSON *request, const char *member)
{
	if (!cJSON_GetArraySize(request_member(request, member)))
		return;
	text_addf(out, ",\"_%s\":[", member);
	add_headers(out, request, member);
	text_add_char(out, ']');
}

static const char *content_type(const cJSON *request)
{
	const cJSON *field;

	cJSON_ArrayForEach(
		field,
		request_member(request,
			       "response_headers")) if (strcasecmp(request_string(field, "name"),
								   "content-type") ==
							0) return request_string(field, "value");
	return "x-unknown";
}

static void add_request(struct text *out, const cJSON *request)
{
	text_add(out, ",\"request\":{\"method\":\"");
	add_content(out, request_string(request, "method"));
	text_add(out, "\",\"url\":\"");
	add_url(out, request);
	text_add_char(out, '"');
	add_version(out, request);
	text_add(out, ",\"cookies\":[],\"headers\":[");
	add_headers(out, request, "request_headers");
	text_add(out, "],\"queryString\":[");
	add_query(out, request_string(request, "target"));
	text_addf(out, "],\"headersSize\":-1,\"bodySize\":%.0f}",
		  request_number(request, "request_bytes"));
}

static void add_response(struct text *out, const cJSON *request)
{
	double status = request_number(request, "status");
	double bytes = request_number(request, "response_bytes");

	text_addf(out, ",\"response\":{\"status\":%.0f,\"statusText\":\"\"",
		  status < 0 ? 0 : status);
	add_version(out, request);
	text_add(out, ",\"cookies\":[],\"headers\":[");
	add_headers(out, request, "response_headers");
	text_addf(out, "],\"content\":{\"size\":%.0f,\"mimeType\":\"", bytes < 0 ? 0 : bytes);
	add_content(out, content_type(request));
	text_addf(out, "\"},\"redirectURL\":\"\",\"headersSize\":-1,\"bodySize\":%.0f}", bytes);
}

/* As milliseconds, exactly. */
static void add_ms(struct text *out, const char *name, double ns)
{
	uint64_t whole = ns > 0 && ns < 1e18 ? (uint64_t)ns : 0;

	text_addf(out, "\"%s\":%llu.%06llu", name, (unsigned long long)(whole / 1000000),
		  (unsigned long long)(whole % 1000000));
}

/* Their sum is the entry's time. */
static void add_timings(struct text *out, double duration_ns, double first_byte_ns)
{
	bool is_answered = first_byte_ns >= 0 && first_byte_ns <= duration_ns;

	text_add(out, ",\"cache\":{},\"timings\":{\"send\":0,");
	add_ms(out, "wait", is_answered ? first_byte_ns : duration_ns);
	text_add_char(out, ',');
	add_ms(out, "receive", is_answered ? duration_ns - first_byte_ns : 0);
	text_add_char(out, '}');
}

/* Of "ADDRESS:PORT" or "[IPV6]:PORT" the address. */
static void add_server(struct text *out, const char *server)
{
	if (!*server)
		return;
	text_add(out, ",\"serverIPAddress\":\"");
	if (*server == '[')
		add_address(out, server + 1, "0123456789abcdef.:");
	else
		add_address(out, server, "0123456789.");
	text_add_char(out, '"');
}

void har_add_begin(struct text *out)
{
	text_add(out, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"sidelight\","
		      "\"version\":\"" SIDELIGHT_VERSION "\"},\"entries\":[\n");
}

void har_add_request(struct text *out, const cJSON *request)
{
	double duration_ns = request_number(request, "duration_ns");
	double stream = request_number(request, "stream");
	double weight = request_number(request, "weight");

	text_add(out, "{\"startedDateTime\":\"");
	add_content(out, request_string(request, "time"));
	text_add(out, "\",");
	add_ms(out, "time", duration_ns);
	add_request(out, request);
	add_response(out, request);
	add_timings(out, duration_ns, request_number(request, "first_byte_ns"));
	add_server(out, request_string(request, "server"));
	add_extra(out, "connection", request_string(request, "conn"));
	add_extra(out, "_role", request_string(request, "role"));
	add_extra(out, "_container", request_string(request, "container"));
	add_extra(out, "_client", request_string(request, "client"));
	add_extra(out, "_error", request_string(request, "error"));
	add_extra(out, "_grpcStatus", request_string(request, "rpc_status"));
	add_extra(out, "_traceId", request_string(request, "trace_id"));
	add_extra(out, "_spanId", request_string(request, "span_id"));
	if (stream >= 0)
		text_addf(out, ",\"_stream\":%.0f", stream);
	if (weight >= 0)
		text_addf(out, ",\"_weight\":%.0f", weight);
	add_trailers(out, request, "request_trailers");
	add_trailers(out, request, "response_trailers");
	text_add_char(out, '}');
}

void har_add_end(struct text *out)
{
	text_add(out, "\n]}}\n");
}
