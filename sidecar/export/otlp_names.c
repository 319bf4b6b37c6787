/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_names.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Semantic conventions 1.40: HTTP metrics are stable there, RPC metrics a release candidate. */
static const struct {
	const char *family;
	const char *name;
	const char *unit;
	bool is_up_down;
} conventions[] = {
	{"http_server_request_duration_seconds", "http.server.request.duration", "s", false},
	{"http_client_request_duration_seconds", "http.client.request.duration", "s", false},
	{"http_server_request_body_size_bytes", "http.server.request.body.size", "By", false},
	{"http_server_response_body_size_bytes", "http.server.response.body.size", "By", false},
	{"http_client_request_body_size_bytes", "http.client.request.body.size", "By", false},
	{"http_client_response_body_size_bytes", "http.client.response.body.size", "By", false},
	{"http_server_active_requests", "http.server.active_requests", "{request}", true},
	{"rpc_server_call_duration_seconds", "rpc.server.call.duration", "s", false},
	{"rpc_client_call_duration_seconds", "rpc.client.call.duration", "s", false},
};

static const struct {
	const char *label;
	struct otlp_attribute_name attribute;
} attributes[] = {
	{"http_request_method", {"http.request.method", false}},
	{"http_response_status_code", {"http.response.status_code", true}},
	{"http_route", {"http.route", false}},
	{"url_scheme", {"url.scheme", false}},
	{"network_protocol_version", {"network.protocol.version", false}},
	{"error_type", {"error.type", false}},
	{"server_address", {"server.address", false}},
	{"server_port", {"server.port", true}},
	{"rpc_system_name", {"rpc.system.name", false}},
	{"rpc_method", {"rpc.method", false}},
	{"rpc_status_code", {"rpc.response.status_code", false}},
};

static bool cut_suffix(struct span *name, const char *suffix)
{
	size_t n = strlen(suffix);

	if (name->len <= n || memcmp(name->ptr + name->len - n, suffix, n) != 0)
		return false;
	name->len -= n;
	return true;
}

/* The first word is a namespace; the unit is said apart. */
static void name_by_rule(const struct family_desc *desc, struct otlp_name *n)
{
	struct span name = span_of(desc->name);
	char *underscore;

	if (desc->type == METRIC_COUNTER)
		(void)cut_suffix(&name, "_total");
	n->unit = cut_suffix(&name, "_seconds") ? "s" : cut_suffix(&name, "_bytes") ? "By" : "";
	(void)snprintf(n->name, sizeof(n->name), "%.*s", SPAN_ARG(name)); /* names are ours */
	underscore = strchr(n->name, '_');
	if (underscore)
		*underscore = '.';
}

void otlp_name(const struct family_desc *desc, struct otlp_name *ret_name)
{
	static const enum otlp_kind kinds[] = {
		[METRIC_COUNTER] = OTLP_SUM,
		[METRIC_GAUGE] = OTLP_GAUGE,
		[METRIC_HISTOGRAM] = OTLP_HISTOGRAM,
	};

	*ret_name = (struct otlp_name){.kind = kinds[desc->type]};
	name_by_rule(desc, ret_name);
	for (size_t i = 0; i < COUNT(conventions); i++) {
		if (strcmp(conventions[i].family, desc->name) != 0)
			continue;
		(void)snprintf(ret_name->name, sizeof(ret_name->name), "%s", conventions[i].name);
		ret_name->unit = conventions[i].unit;
		if (conventions[i].is_up_down)
			ret_name->kind = OTLP_UP_DOWN_SUM;
	}
	ret_name->is_integer = strcmp(ret_name->unit, "s") != 0;
}

struct otlp_attribute_name otlp_attribute_name(const char *label)
{
	for (size_t i = 0; i < COUNT(attributes); i++)
		if (strcmp(attributes[i].label, label) == 0)
			return attributes[i].attribute;
	return (struct otlp_attribute_name){label, false};
}
