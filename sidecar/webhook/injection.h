/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Injecting into one Pod, or into the Pod template of a workload.
 *
 * A Pod asks by the annotation sidelight.dev/inject: "true". It gets the
 * container of template.json as its first init container (native: "false": as
 * its last container), the volume, the members of "pod", and the annotation
 * sidelight.dev/status: "injected".
 *
 * What cannot be injected is left as it is, except for the status, "not
 * injected: REASON", which is a warning too. A Pod that has the status "injected" and a container
 * of that name is left as it is altogether: so it is safe to be asked again, after other webhooks
 * have changed the Pod, and the static component, which writes both, needs no webhook. The reasons
 * are in injection.c.
 *
 * Nothing in the Pod is trusted: members of the wrong type count as missing, and
 * where one is in the way of a change, the Pod is left as it is.
 */
#ifndef SIDELIGHT_WEBHOOK_INJECTION_H
#define SIDELIGHT_WEBHOOK_INJECTION_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/span.h"
#include "webhook/parameter.h"
#include "webhook/patch.h"
#include "webhook/template.h"

#define ANNOTATION_INJECT PARAMETER_PREFIX "inject"
#define ANNOTATION_STATUS PARAMETER_PREFIX "status"
#define STATUS_INJECTED	  "injected"

/* Why a Pod cannot be injected, in the order in which a user should mend it. */
#define REASON_WINDOWS "the Pod is for Windows"
#define REASON_RESTRICTED                                                                          \
	"the namespace enforces a Pod Security Standard that allows no added capabilities"
#define REASON_RESTRICTED_CLUSTER                                                                  \
	"the cluster enforces a Pod Security Standard that allows no added capabilities, "         \
	"unless the namespace has the label pod-security.kubernetes.io/enforce=privileged"
#define REASON_MIRROR	  "static Pods are not changed by the API server"
#define REASON_NOT_SHARED "shareProcessNamespace is false"
#define REASON_HOST_PID	  "hostPID is true"
#define REASON_HOST_USERS "hostUsers is false"
#define REASON_HOST_NETWORK                                                                        \
	"hostNetwork is true and the port would be the node's; "                                   \
	"sidelight.dev/export: push needs none"
#define REASON_CONTAINER                                                                           \
	"it has a container " TEMPLATE_CONTAINER " of its own; the injected one needs that name"
#define REASON_IMAGE                                                                               \
	"sidelight.dev/image names an image that the cluster's administrator does not permit"
#define REASON_VOLUME "volume %s is not the one that would be injected" /* its name */
/* Takes the port and the container's name. */
#define REASON_PORT "port %s is used by container %.63s; sidelight.dev/metrics-port chooses another"

enum outcome {
	OUTCOME_UNASKED, /* there is no annotation that asks for it */
	OUTCOME_PRESENT, /* the container is there */
	OUTCOME_SKIPPED, /* cannot be injected */
	OUTCOME_INJECTED,
	OUTCOME_MAX,
};

struct injection {
	const struct values *defaults;
	struct span workload; /* known from elsewhere; empty: from the owner */
	bool is_asked; /* also without annotation; not against inject: "false" */
	bool is_restricted; /* the namespace enforces a Pod Security Standard */
	bool is_unlabelled; /* the namespace says nothing: pod-security counts */
};

/*
 * pod has "metadata" and "spec" (a Pod or a template); it is changed, and p
 * grows by the operations, relative to pod. Lines for who asked are added to the array
 * of strings `warnings`. Memory that ran short shows in p.
 */
enum outcome injection_apply(const struct injection *in, cJSON *pod, struct patch *p,
			     cJSON *warnings);

/* Was the Pod, or the template, injected already? */
bool injection_is_present(const cJSON *pod);

/* The reason for which every Pod of the namespace would be skipped; NULL: there is none. */
const char *injection_refused_by_namespace(const struct injection *in);

/* Adds to `why` the reason for which a Pod with this spec would be skipped. */
bool injection_is_possible(const struct injection *in, const cJSON *pod, const struct values *v,
			   struct text *why);

#endif
