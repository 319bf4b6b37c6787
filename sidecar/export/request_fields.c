/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_fields.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

const struct request_field request_fields[] = {
	{"time", "Time (UTC)", FIELD_TIME, REQUEST_ANY, 23},
	{"container", "Container", FIELD_TEXT, REQUEST_ANY, 16},
	{"role", "Role", FIELD_TEXT, REQUEST_ANY, 7},
	{"client", "Client", FIELD_TEXT, REQUEST_ANY, 21},
	{"server", "Server", FIELD_TEXT, REQUEST_ANY, 21},
	{"scheme", "Scheme", FIELD_TEXT, REQUEST_ANY, 7},
	{"version", "Version", FIELD_TEXT, REQUEST_HTTP, 7},
	{"method", "Method", FIELD_TEXT, REQUEST_ANY, 8},
	{"target", "Target", FIELD_TEXT, REQUEST_ANY, 40},
	{"route", "Route", FIELD_TEXT, REQUEST_ANY, 30},
	{"rpc_status", "gRPC status", FIELD_TEXT, REQUEST_GRPC, 18},
	{"status", "HTTP status", FIELD_NUMBER, REQUEST_ANY, 11},
	{"error", "Error", FIELD_TEXT, REQUEST_ANY, 18},
	{"duration_ns", "Duration (ms)", FIELD_NS, REQUEST_ANY, 13},
	{"first_byte_ns", "First byte (ms)", FIELD_NS, REQUEST_ANY, 14},
	{"receive_ns", "Receive (ms)", FIELD_NS, REQUEST_ANY, 12},
	{"wait_ns", "Wait (ms)", FIELD_NS, REQUEST_ANY, 10},
	{"program_ns", "Program (ms)", FIELD_NS, REQUEST_ANY, 12},
	{"send_ns", "Send (ms)", FIELD_NS, REQUEST_ANY, 10},
	{"round_trip_ns", "Round trip (ms)", FIELD_NS, REQUEST_ANY, 14},
	{"timeout_ns", "Timeout (ms)", FIELD_NS, REQUEST_GRPC, 12},
	{"request_bytes", "Request bytes", FIELD_NUMBER, REQUEST_ANY, 13},
	{"response_bytes", "Response bytes", FIELD_NUMBER, REQUEST_ANY, 14},
	{"request_messages", "Request messages", FIELD_NUMBER, REQUEST_GRPC, 16},
	{"response_messages", "Response messages", FIELD_NUMBER, REQUEST_GRPC, 17},
	{"conn", "Connection", FIELD_TEXT, REQUEST_ANY, 16},
	{"stream", "Stream", FIELD_NUMBER, REQUEST_ANY, 7},
	{"process", "Process", FIELD_NUMBER, REQUEST_ANY, 8},
	{"thread", "Thread", FIELD_NUMBER, REQUEST_ANY, 8},
	{"process_name", "Process name", FIELD_TEXT, REQUEST_ANY, 16},
	{"trace_id", "Trace", FIELD_TEXT, REQUEST_ANY, 32},
	{"span_id", "Span", FIELD_TEXT, REQUEST_ANY, 16},
	{"probe", "Probe", FIELD_BOOL, REQUEST_ANY, 6},
	{"is_cut", "Target cut", FIELD_BOOL, REQUEST_ANY, 10},
	/* HEADER_FIELDS from here on */
	{"request_headers", "Request headers", FIELD_HEADERS, REQUEST_ANY, 40},
	{"response_headers", "Response headers", FIELD_HEADERS, REQUEST_ANY, 40},
	{"request_trailers", "Request trailers", FIELD_HEADERS, REQUEST_ANY, 20},
	{"response_trailers", "Response trailers", FIELD_HEADERS, REQUEST_ANY, 20},
	{"weight", "Weight", FIELD_NUMBER, REQUEST_ANY, 7},
	{"headers_cut", "Headers cut", FIELD_BOOL, REQUEST_ANY, 11},
};
#define HEADER_FIELDS 6
const size_t request_field_count_all = sizeof(request_fields) / sizeof(request_fields[0]);
const size_t request_field_count =
	sizeof(request_fields) / sizeof(request_fields[0]) - HEADER_FIELDS;

const cJSON *request_member(const cJSON *request, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(request, name);
}

const char *request_string(const cJSON *request, const char *name)
{
	const cJSON *item = request_member(request, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

double request_number(const cJSON *request, const char *name)
{
	const cJSON *item = request_member(request, name);

	/* 1e999 is infinite, which no format has a number for; -0 loses its sign. */
	return cJSON_IsNumber(item) && item->valuedouble >= 0 && isfinite(item->valuedouble)
		       ? fabs(item->valuedouble)
		       : -1;
}

bool request_bool(const cJSON *request, const char *name)
{
	return cJSON_IsTrue(request_member(request, name));
}

unsigned request_kind(const cJSON *request)
{
	return *request_string(request, "rpc_status") ? REQUEST_GRPC : REQUEST_HTTP;
}

uint64_t request_time_ns(const cJSON *request)
{
	struct tm tm = {0};
	unsigned ns;
	time_t sec;

	if (sscanf(request_string(request, "time"), "%4d-%2d-%2dT%2d:%2d:%2d.%9uZ", &tm.tm_year,
		   &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ns) != 7)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	sec = timegm(&tm);
	return sec < 0 ? 0 : (uint64_t)sec * 1000000000u + ns;
}

void request_add_printable(struct text *out, const char *s)
{
	for (; *s; s++) {
		if (*s >= ' ' && *s <= '~')
			text_add_char(out, *s);
		else
			text_addf(out, "\\x%02x", (unsigned char)*s);
	}
}
