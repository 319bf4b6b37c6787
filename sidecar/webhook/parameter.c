/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/parameter.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU    "([1-9][0-9]{0,5}m|[1-9][0-9]{0,2}([.][0-9]{1,3})?|0[.][0-9]{0,2}[1-9])"
#define MEMORY "([1-9][0-9]{0,4}Mi?|[1-9][0-9]{0,2}Gi?)"
/* Below 30 MB it would be killed again and again, and a native sidecar that does not
 * start holds up the Pod. */
#define MEMORY_LIMIT "([3-9][0-9]Mi?|[1-9][0-9]{2,4}Mi?|[1-9][0-9]{0,2}Gi?)"
/* 100 ms to a day. */
#define INTERVAL "([1-9][0-9]{0,3}s?|[1-9][0-9]{2,6}ms|[1-9][0-9]{0,2}m|([1-9]|1[0-9]|2[0-4])h)"
#define PORT                                                                                       \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define IMAGE                                                                                      \
	"([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"                             \
	"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
#define NAMES "[a-z0-9]([a-z0-9-]{0,62})(,[a-z0-9]([a-z0-9-]{0,62}))*"
/* Of the templates that sidelight takes (its help on --routes) those of plain characters. */
#define SEGMENT "/([A-Za-z0-9._~!&'+;=:@%-]*|[{][A-Za-z0-9_.-]+[}])"
#define ROUTE	"((" SEGMENT ")+(/[*])?|/[*])"

const struct parameter parameter_table[PARAM_MAX] = {
	[PARAM_IMAGE] = {"image", "REF", "sidelight:" SIDELIGHT_VERSION, "^" IMAGE "$", 255,
			 "an image reference", "image of the injected container"},
	[PARAM_PULL_POLICY] = {"pull-policy", "WORD", "", "^(Always|IfNotPresent|Never)$", 16,
			       "one of Always, IfNotPresent, Never",
			       "its imagePullPolicy; Kubernetes' own rule if not said"},
	[PARAM_NATIVE] = {"native", "true|false", "true", "^(true|false)$", 5, "true or false",
			  "native sidecar (Kubernetes 1.29), or a plain container"},
	[PARAM_CPU] = {"cpu", "QUANTITY", "10m", "^" CPU "$", 16,
		       "a number of CPUs like 50m or 0.5", "CPU request"},
	[PARAM_CPU_LIMIT] = {"cpu-limit", "QUANTITY", "", "^" CPU "$", 16,
			     "a number of CPUs like 50m or 0.5", "CPU limit; none if not said"},
	[PARAM_MEMORY] = {"memory", "QUANTITY", "32Mi", "^" MEMORY "$", 16,
			  "an amount of memory like 32Mi", "memory request"},
	[PARAM_MEMORY_LIMIT] = {"memory-limit", "QUANTITY", "128Mi", "^" MEMORY_LIMIT "$", 16,
				"an amount of memory of at least 30Mi", "memory limit"},
	[PARAM_EXPORT] = {"export", "push|scrape|both", "both", "^(push|scrape|both)$", 8,
			  "one of push, scrape, both",
			  "push to a gateway, serve /metrics, or both"},
	[PARAM_METRICS_PORT] = {"metrics-port", "PORT", "9465", "^" PORT "$", 5,
				"a port from 1 to 65535", "port of /metrics in the Pod"},
	[PARAM_PUSH] = {"push", "URL", "", "^https?://[][A-Za-z0-9.:@_~/?&=%+,;!*()-]+$", 1024,
			"a URL that starts with http:// or https://",
			"Pushgateway to push to; nothing is pushed if not said"},
	[PARAM_PUSH_INTERVAL] = {"push-interval", "SECONDS", "", "^" INTERVAL "$", 8,
				 "a time like 500ms, 15s, 2m, at most a day",
				 "time between pushes"},
	[PARAM_CONTAINERS] = {"containers", "LIST", "", "^" NAMES "$", 1024,
			      "a comma-separated list of container names",
			      "watch only these containers"},
	[PARAM_ROUTES] = {"routes", "LIST", "", "^" ROUTE "(," ROUTE ")*$", 4096,
			  "a comma-separated list of route templates",
			  "route templates: '/users/{id},/files/*'", .items_max = 256,
			  .item_max_bytes = 170},
	[PARAM_LOG_LEVEL] = {"log-level", "WORD", "", "^(error|warn|info|debug)$", 8,
			     "one of error, warn, info, debug", "what sidelight logs"},
	[PARAM_WORKLOAD] = {"workload", "NAME", "", "^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$", 253,
			    "a name", "name of the workload; else that of the Pod's owner"},
};

static regex_t *pattern_of(enum parameter_id id)
{
	static regex_t compiled[PARAM_MAX];
	static bool is_compiled[PARAM_MAX];

	if (!is_compiled[id]) {
		if (regcomp(&compiled[id], parameter_table[id].pattern, REG_EXTENDED | REG_NOSUB))
			return NULL; /* memory: the patterns themselves are tested */
		is_compiled[id] = true;
	}
	return &compiled[id];
}

static bool has_fitting_items(const struct parameter *p, const char *list)
{
	size_t count = 0;

	for (size_t len; p->items_max && list; list = list[len] ? list + len + 1 : NULL) {
		len = strcspn(list, ",");
		if (len > p->item_max_bytes || ++count > p->items_max)
			return false;
	}
	return true;
}

bool parameter_accepts(enum parameter_id id, const char *value)
{
	const struct parameter *p = &parameter_table[id];
	const regex_t *pattern = pattern_of(id);

	return pattern && strnlen(value, p->max_bytes + 1) <= p->max_bytes &&
	       regexec(pattern, value, 0, NULL, 0) == 0 && has_fitting_items(p, value);
}

/* Thousandths of a CPU, or bytes; the value is one that was accepted. */
static double quantity(const char *value)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = {{"", 1000}, {"m", 1}, {"M", 1e6}, {"Mi", 0x1p20}, {"G", 1e9}, {"Gi", 0x1p30}};
	char *unit;
	double n = strtod(value, &unit);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].unit) == 0)
			return n * units[i].factor;
	return 0;
}

static void raise_limit(struct values *v, enum parameter_id request, enum parameter_id limit)
{
	if (*v->of[limit] && quantity(v->of[limit]) < quantity(v->of[request]))
		v->of[limit] = v->of[request];
}

static bool warn(cJSON *warnings, const struct parameter *p, const char *value)
{
	struct text line;
	bool ok;

	text_init(&line);
	/* Of a hostile value no more than a beginning, and no control characters. */
	text_addf(&line, PARAMETER_PREFIX "%s: \"", p->name);
	for (size_t i = 0; value[i] && i < 60; i++)
		text_add_char(&line, value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?');
	text_addf(&line, "\" is not %s; ignored", p->wanted);
	ok = !line.has_failed && cJSON_AddItemToArray(warnings, cJSON_CreateString(line.ptr));
	text_release(&line);
	return ok;
}

bool values_resolve(struct values *v, const struct values *defaults, const cJSON *annotations,
		    cJSON *warnings)
{
	*v = *defaults;
	for (int i = 0; i < PARAM_MAX; i++) {
		char name[64];
		const char *value;

		(void)snprintf(name, sizeof(name), PARAMETER_PREFIX "%s", parameter_table[i].name);
		value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(annotations, name));
		if (!value)
			continue;
		if (parameter_accepts((enum parameter_id)i, value))
			v->of[i] = value;
		else if (!warn(warnings, &parameter_table[i], value))
			return false;
	}
	if (strcmp(v->of[PARAM_EXPORT], "push") == 0)
		v->of[PARAM_METRICS_PORT] = "";
	if (strcmp(v->of[PARAM_EXPORT], "scrape") == 0)
		v->of[PARAM_PUSH] = "";
	raise_limit(v, PARAM_CPU, PARAM_CPU_LIMIT);
	raise_limit(v, PARAM_MEMORY, PARAM_MEMORY_LIMIT);
	return true;
}
