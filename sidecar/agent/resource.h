/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we report for, as the attributes of an OTLP resource: the labels of all series (labels.h) in
 * the words of OpenTelemetry's semantic conventions, and what the environment adds.
 *
 *     job, workload    service.name, and k8s.deployment.name or the like where the kind is known
 *     namespace        service.namespace and k8s.namespace.name
 *     pod, node        k8s.pod.name, k8s.node.name
 *     label_NAME       k8s.pod.label.NAME
 *     instance         host.name; outside of a Pod
 *     target           sidelight.target; outside of a Pod
 *     container        k8s.container.name; outside of a Pod container.name
 *
 * service.instance.id is NAMESPACE.POD.CONTAINER, or HOST.TARGET: no two resources share it, since
 * for a Prometheus that receives OTLP it is all that tells their series apart.
 */
#ifndef SIDELIGHT_AGENT_RESOURCE_H
#define SIDELIGHT_AGENT_RESOURCE_H

#include "agent/labels.h"
#include "base/pairs.h"
#include "export/otlp_encode.h"

struct resource {
	struct otlp_resource otlp; /* borrows the rest, and the labels */
	struct pair attributes[OTLP_ATTRIBUTES_MAX];
	char service_name[IDENTITY_VALUE_MAX];
	char instance[3 * IDENTITY_VALUE_MAX];
	char (*pod_keys)[POD_LABEL_NAME_MAX + 16]; /* owned: of labels of the Pod */
	struct pairs said; /* owned */
};

/*
 * service_name and said, a list as base/pairs.h has it, may be NULL. What is said wins, but for the
 * container's name; of both, service_name. Must not be moved afterwards, and the labels neither.
 * Returns 0, -ENOMEM, or -EINVAL if said is malformed: then it is not used, and the rest is there.
 * To be released in any case.
 */
int resource_init(struct resource *r, const struct labels *labels, const char *service_name,
		  const char *said);
/* Accepts a zeroed one. */
void resource_release(struct resource *r);

#endif
