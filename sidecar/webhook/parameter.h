/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be set of an injected container: by the cluster's administrator as
 * a flag (--NAME) of sidelight-webhook, by the owner of a Pod as an annotation
 * (sidelight.dev/NAME), which wins, unless the parameter is the administrator's
 * alone, or the administrator's value is final. The names are those of the
 * placeholders of template.json.
 *
 * A value that is not as the pattern says, or too long, is as if it were not
 * there, and is reported: the API server and sidelight accept every value that
 * matches, so a wrong annotation can keep no Pod from starting. Patterns are
 * anchored and mean the same as POSIX extended expressions and in CEL (RE2).
 *
 * Where policy and guard read the administrator's ConfigMap, a parameter with a
 * veto has it unless the value is absent, "" or the other one: a value that is
 * malformed may be a veto with a typing error. (The webhook does not start with it.)
 *
 * After the values are looked up, these rules hold between them:
 *   - export, if nobody has said it, is "push" where there is a gateway, else "scrape": one
 *     way, so that nothing is counted twice;
 *   - with "push" metrics-port is "", with "scrape" push is "";
 *   - tls-capability is "" with tls "off", which needs none;
 *   - a request of cpu or memory is never above its limit: the limit is raised.
 */
#ifndef SIDELIGHT_WEBHOOK_PARAMETER_H
#define SIDELIGHT_WEBHOOK_PARAMETER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define PARAMETER_PREFIX "sidelight.dev/"

/* Parts of an image reference, as regular expressions. */
#define PARAMETER_IMAGE_TAG    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
#define PARAMETER_IMAGE_DIGEST "sha256:[0-9a-f]{64}"

enum parameter_id {
	PARAM_IMAGE,
	PARAM_PULL_POLICY,
	PARAM_NATIVE,
	PARAM_CPU,
	PARAM_CPU_LIMIT,
	PARAM_MEMORY,
	PARAM_MEMORY_LIMIT,
	PARAM_EXPORT, /* "": see above */
	PARAM_METRICS_PORT,
	PARAM_PUSH,
	PARAM_PUSH_INTERVAL,
	PARAM_PUSH_ON_EXIT, /* "": "keep" for a Pod that ends by itself (values_for_pod()) */
	PARAM_OTLP,
	PARAM_HISTOGRAMS,
	PARAM_BY,
	PARAM_CONTAINERS,
	PARAM_ROUTES,
	PARAM_LOG_LEVEL,
	PARAM_TLS, /* an administrator's "off" is final */
	PARAM_WORKLOAD, /* "": taken from the owner of the Pod (owner.h) */
	PARAM_HEADER_CAPTURE, /* of the administrator, as the next ones */
	PARAM_SYSCALL_COUNTING,
	PARAM_TLS_CAPABILITY, /* "" where TLS is not decrypted */
	PARAM_IMAGE_CHOICE, /* see image.h */
	PARAM_POD_SECURITY, /* of namespaces that have no label */
	PARAM_MAX,
};

struct parameter {
	const char *name;
	const char *metavar;
	const char *fallback; /* "": nothing */
	const char *pattern;
	size_t max_bytes;
	const char *wanted; /* completes: "x" is not ... */
	const char *help;
	size_t items_max; /* of a comma-separated list; 0: no limit of their own */
	size_t item_max_bytes;
	bool is_administrators; /* annotations do not set it */
	const char *final; /* an administrator's veto: annotations do not change it; NULL: none */
	const char *revocable; /* with a veto: the one other value */
};

extern const struct parameter parameter_table[PARAM_MAX];

/* One value for each, never NULL; "" for nothing. Borrowed. */
struct values {
	const char *of[PARAM_MAX];
};

/* Do annotations not change the administrator's value? */
bool parameter_is_final(enum parameter_id id, const char *value);

/* Is it a value that the parameter can have? */
bool parameter_accepts(enum parameter_id id, const char *value);

/*
 * The values for a Pod with these annotations (an object of strings, or NULL),
 * on top of the defaults, by the rules above. A line for each annotation that
 * cannot be used is added to the array of strings `warnings`. The values
 * borrow from both. False when memory is short.
 */
bool values_resolve(struct values *v, const struct values *defaults, const cJSON *annotations,
		    cJSON *warnings);

/*
 * The rule that depends on the Pod: one that pushes and whose restartPolicy is not Always (a
 * Job's) ends by itself, so its last numbers stay in the gateway until the janitor comes.
 */
void values_for_pod(struct values *v, const cJSON *spec);

#endif
