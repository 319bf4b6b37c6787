/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/parameter.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/push_url.h"
#include "webhook/quantity.h"

#define CPU    "([1-9][0-9]{0,5}m|[1-9][0-9]{0,2}([.][0-9]{1,3})?|0[.][0-9]{0,2}[1-9])"
#define MEMORY "([1-9][0-9]{0,4}Mi?|[1-9][0-9]{0,2}Gi?)"
/* Below 30 MB it would be killed again and again, and a native sidecar that does not
 * start holds up the Pod. */
#define MEMORY_LIMIT "([3-9][0-9]Mi?|[1-9][0-9]{2,4}Mi?|[1-9][0-9]{0,2}Gi?)"
/* 100 ms to a day. */
#define INTERVAL "([1-9][0-9]{0,3}s?|[1-9][0-9]{2,6}ms|[1-9][0-9]{0,2}m|([1-9]|1[0-9]|2[0-4])h)"
#define PORT                                                                                       \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
/* As container runtimes read it; one that they cannot read would keep the Pod from starting. */
#define LABEL	  "[a-zA-Z0-9]+(-+[a-zA-Z0-9]+)*"
#define COMPONENT "[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*"
#define IMAGE                                                                                      \
	"(" LABEL "([.]" LABEL ")*(:[0-9]{1,5})?/)?" COMPONENT "(/" COMPONENT ")*"                 \
	"(:" PARAMETER_IMAGE_TAG ")?(@" PARAMETER_IMAGE_DIGEST ")?"
#define NAMES "[a-z0-9]([a-z0-9-]{0,62})(,[a-z0-9]([a-z0-9-]{0,62}))*"
/* Of the templates that sidelight takes (its help on --routes) those without wildcards. */
#define SEGMENT "/([A-Za-z0-9._~!&'+;=:@%-]*|[{][A-Za-z0-9_.-]+[}])"
#define ROUTE	"((" SEGMENT ")+(/[*])?|/[*])"

const struct parameter parameter_table[PARAM_MAX] = {
	[PARAM_IMAGE] =
		{
			.name = "image",
			.metavar = "REF",
			.fallback = "sidelight:" SIDELIGHT_VERSION,
			.pattern = "^" IMAGE "$",
			.max_bytes = 255,
			.wanted = "an image reference",
			.help = "image of the injected container",
		},
	[PARAM_PULL_POLICY] =
		{
			.name = "pull-policy",
			.metavar = "WORD",
			.fallback = "",
			.pattern = "^(Always|IfNotPresent|Never)$",
			.max_bytes = 16,
			.wanted = "one of Always, IfNotPresent, Never",
			.help = "its imagePullPolicy; Kubernetes' own rule if not said",
		},
	[PARAM_NATIVE] =
		{
			.name = "native",
			.metavar = "true|false",
			.fallback = "true",
			.pattern = "^(true|false)$",
			.max_bytes = 5,
			.wanted = "true or false",
			.help = "native sidecar (Kubernetes 1.29), or an ordinary container",
		},
	[PARAM_CPU] =
		{
			.name = "cpu",
			.metavar = "QUANTITY",
			.fallback = "10m",
			.pattern = "^" CPU "$",
			.max_bytes = 16,
			.wanted = "a number of CPUs like 50m or 0.5",
			.help = "CPU request",
		},
	[PARAM_CPU_LIMIT] =
		{
			.name = "cpu-limit",
			.metavar = "QUANTITY",
			.fallback = "",
			.pattern = "^" CPU "$",
			.max_bytes = 16,
			.wanted = "a number of CPUs like 50m or 0.5",
			.help = "CPU limit; none if not said",
		},
	[PARAM_MEMORY] =
		{
			.name = "memory",
			.metavar = "QUANTITY",
			.fallback = "32Mi",
			.pattern = "^" MEMORY "$",
			.max_bytes = 16,
			.wanted = "an amount of memory like 32Mi",
			.help = "memory request",
		},
	[PARAM_MEMORY_LIMIT] =
		{
			.name = "memory-limit",
			.metavar = "QUANTITY",
			.fallback = "128Mi",
			.pattern = "^" MEMORY_LIMIT "$",
			.max_bytes = 16,
			.wanted = "an amount of memory of at least 30Mi",
			.help = "memory limit",
		},
	[PARAM_EXPORT] =
		{
			.name = "export",
			.metavar = "push|scrape|both",
			.fallback = "",
			.pattern = "^(push|scrape|both)$",
			.max_bytes = 8,
			.wanted = "one of push, scrape, both",
			.help = "push to a gateway, serve /metrics, or both; if not said, push if "
				"there is a gateway (--push), else scrape",
		},
	[PARAM_METRICS_PORT] =
		{
			.name = "metrics-port",
			.metavar = "PORT",
			.fallback = "9465",
			.pattern = "^" PORT "$",
			.max_bytes = 5,
			.wanted = "a port from 1 to 65535",
			.help = "port of /metrics in the Pod",
		},
	[PARAM_PUSH] =
		{
			.name = "push",
			.metavar = "URL",
			.fallback = "",
			.pattern = PUSH_URL_PATTERN,
			.max_bytes = PUSH_URL_BYTES_MAX,
			.wanted = PUSH_URL_WANTED,
			.help = "Pushgateway to push to; nothing is pushed if not said",
		},
	[PARAM_PUSH_INTERVAL] =
		{
			.name = "push-interval",
			.metavar = "SECONDS",
			.fallback = "",
			.pattern = "^" INTERVAL "$",
			.max_bytes = 8,
			.wanted = "a time like 500ms, 15s, 2m, at most a day",
			.help = "time between pushes",
		},
	[PARAM_PUSH_ON_EXIT] =
		{
			.name = "push-on-exit",
			.metavar = "delete|keep",
			.fallback = "",
			.pattern = "^(delete|keep)$",
			.max_bytes = 8,
			.wanted = "one of delete, keep",
			.help = "what becomes of the pushed group at the end; if not said, keep "
				"for Pods that end by themselves (of Jobs), else delete",
		},
	[PARAM_OTLP] =
		{
			.name = "otlp",
			.metavar = "URL",
			.fallback = "",
			.pattern = PUSH_URL_PATTERN,
			.max_bytes = PUSH_URL_BYTES_MAX,
			.wanted = PUSH_URL_WANTED,
			.help = "receiver of OTLP/HTTP to export to, whatever --export says; none "
				"if "
				"not said",
		},
	[PARAM_HISTOGRAMS] =
		{
			.name = "histograms",
			.metavar = "classic|native|both",
			.fallback = "",
			.pattern = "^(classic|native|both)$",
			.max_bytes = 8,
			.wanted = "one of classic, native, both",
			.help = "buckets of the histograms; classic if not said",
		},
	[PARAM_BY] =
		{
			.name = "by",
			.metavar = "none|process",
			.fallback = "",
			.pattern = "^(none|process)$",
			.max_bytes = 8,
			.wanted = "one of none, process",
			.help = "labels of requests: process for the name and number of the "
				"process; none if not said",
		},
	[PARAM_CONTAINERS] =
		{
			.name = "containers",
			.metavar = "LIST",
			.fallback = "",
			.pattern = "^" NAMES "$",
			.max_bytes = 1024,
			.wanted = "a comma-separated list of container names",
			.help = "watch only these containers",
		},
	[PARAM_ROUTES] =
		{
			.name = "routes",
			.metavar = "LIST",
			.fallback = "",
			.pattern = "^" ROUTE "(," ROUTE ")*$",
			.max_bytes = 4096,
			.wanted = "a comma-separated list of route templates",
			.help = "route templates: '/users/{id},/files/*'",
			.items_max = 256,
			.item_max_bytes = 170,
		},
	[PARAM_LOG_LEVEL] =
		{
			.name = "log-level",
			.metavar = "WORD",
			.fallback = "",
			.pattern = "^(error|warn|info|debug)$",
			.max_bytes = 8,
			.wanted = "one of error, warn, info, debug",
			.help = "what sidelight logs",
		},
	[PARAM_TLS] =
		{
			.name = "tls",
			.metavar = "keys|off",
			.fallback = "keys",
			.pattern = "^(keys|off)$",
			.max_bytes = 4,
			.wanted = "one of keys, off",
			.help = "keys: decrypt TLS with the secrets of its handshakes; off said "
				"here is final: no annotation changes it",
			.final = "off",
			.revocable = "keys",
		},
	[PARAM_HEADER_CAPTURE] =
		{
			.name = "header-capture",
			.metavar = "allowed|forbidden",
			.fallback = "",
			.pattern = "^(allowed|forbidden)$",
			.max_bytes = 16,
			.wanted = "one of allowed, forbidden",
			.help = "forbidden: no sidecar of the cluster captures header fields, "
				"whatever sidelight.dev/headers or a client asks for",
			.is_administrators = true,
			.final = "forbidden",
			.revocable = "allowed",
		},
	[PARAM_SYSCALL_COUNTING] =
		{
			.name = "syscall-counting",
			.metavar = "allowed|forbidden",
			.fallback = "",
			.pattern = "^(allowed|forbidden)$",
			.max_bytes = 16,
			.wanted = "one of allowed, forbidden",
			.help = "forbidden: no sidecar of the cluster counts system calls, which "
				"the whole node pays for, whatever sidelight.dev/syscalls says",
			.is_administrators = true,
			.final = "forbidden",
			.revocable = "allowed",
		},
	[PARAM_WORKLOAD] =
		{
			.name = "workload",
			.metavar = "NAME",
			.fallback = "",
			.pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$",
			.max_bytes = 253,
			.wanted = "a name",
			.help = "name of the workload; else that of the Pod's owner",
		},
	[PARAM_TLS_CAPABILITY] =
		{
			.name = "tls-capability",
			.metavar = "SYS_ADMIN",
			.fallback = "",
			.pattern = "^SYS_ADMIN$",
			.max_bytes = 16,
			.wanted = "SYS_ADMIN",
			.help = "capability that sidelight gets in addition to decrypt TLS on "
				"kernels before Linux 6.6; none if not said, and TLS is dark there",
			.is_administrators = true,
		},
	[PARAM_IMAGE_CHOICE] =
		{
			.name = "image-choice",
			.metavar = "repository|any",
			.fallback = "repository",
			.pattern = "^(repository|any)$",
			.max_bytes = 16,
			.wanted = "one of repository, any",
			.help = "images that sidelight.dev/image may name: those of the repository "
				"of --image (if that has a digest: with this digest), or any",
			.is_administrators = true,
		},
	[PARAM_POD_SECURITY] =
		{
			.name = "pod-security",
			.metavar = "LEVEL",
			.fallback = "privileged",
			.pattern = "^(privileged|baseline|restricted)$",
			.max_bytes = 16,
			.wanted = "one of privileged, baseline, restricted",
			.help = "Pod Security Standard that the cluster enforces in namespaces "
				"without the label pod-security.kubernetes.io/enforce; with "
				"baseline or restricted, Pods there are not injected",
			.is_administrators = true,
		},
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

bool parameter_is_final(enum parameter_id id, const char *value)
{
	const char *final = parameter_table[id].final;

	return parameter_table[id].is_administrators || (final && strcmp(value, final) == 0);
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

static void raise_limit(struct values *v, enum parameter_id request, enum parameter_id limit)
{
	double wanted;
	double most;

	if (quantity_parse(v->of[limit], &most) && quantity_parse(v->of[request], &wanted) &&
	    most < wanted)
		v->of[limit] = v->of[request];
}

static bool warn(cJSON *warnings, const struct parameter *p, const char *value, bool is_final)
{
	struct text line;
	bool ok;

	text_init(&line);
	/* Of a hostile value no more than a beginning, and no control characters. */
	text_addf(&line, PARAMETER_PREFIX "%s: \"", p->name);
	for (size_t i = 0; value[i] && i < 60; i++)
		text_add_char(&line, value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?');
	if (is_final)
		text_add(&line, "\" is not for annotations to say; ignored");
	else
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
		bool is_final = parameter_is_final((enum parameter_id)i, defaults->of[i]);
		const char *value;

		(void)snprintf(name, sizeof(name), PARAMETER_PREFIX "%s", parameter_table[i].name);
		value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(annotations, name));
		if (!value || (is_final && strcmp(value, defaults->of[i]) == 0))
			continue;
		if (!is_final && parameter_accepts((enum parameter_id)i, value))
			v->of[i] = value;
		else if (!warn(warnings, &parameter_table[i], value, is_final))
			return false;
	}
	if (!*v->of[PARAM_EXPORT])
		v->of[PARAM_EXPORT] = *v->of[PARAM_PUSH] ? "push" : "scrape";
	if (strcmp(v->of[PARAM_EXPORT], "push") == 0)
		v->of[PARAM_METRICS_PORT] = "";
	if (strcmp(v->of[PARAM_EXPORT], "scrape") == 0)
		v->of[PARAM_PUSH] = "";
	if (strcmp(v->of[PARAM_TLS], "off") == 0)
		v->of[PARAM_TLS_CAPABILITY] = "";
	raise_limit(v, PARAM_CPU, PARAM_CPU_LIMIT);
	raise_limit(v, PARAM_MEMORY, PARAM_MEMORY_LIMIT);
	return true;
}

void values_for_pod(struct values *v, const cJSON *spec)
{
	const char *policy =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, "restartPolicy"));

	if (!*v->of[PARAM_PUSH_ON_EXIT] && *v->of[PARAM_PUSH] && policy &&
	    (strcmp(policy, "Never") == 0 || strcmp(policy, "OnFailure") == 0))
		v->of[PARAM_PUSH_ON_EXIT] = "keep";
}
