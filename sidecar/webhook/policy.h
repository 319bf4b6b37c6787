/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight-webhook policy`: the injection as a MutatingAdmissionPolicy with
 * its binding (admissionregistration.k8s.io/v1, Kubernetes 1.36), for clusters
 * that want no admission server. The API server evaluates it.
 *
 * It is made from what the webhook is made from: the template, the table of
 * parameters, the reasons not to inject. Defaults are the flags of the command,
 * a ConfigMap (POLICY_PARAMETERS) wins over them, an annotation over both. What a policy cannot do:
 * warn, and reach from a workload to its Pods. The status annotation tells why.
 */
#ifndef SIDELIGHT_WEBHOOK_POLICY_H
#define SIDELIGHT_WEBHOOK_POLICY_H

#include "base/text.h"
#include "webhook/flags.h"

#define POLICY_NAME	  "sidelight-inject"
#define POLICY_PARAMETERS "sidelight" /* name of the ConfigMap */
#define POLICY_NAMESPACE  "sidelight-system" /* ... and its namespace */

/* Appends the YAML. Check out->has_failed afterwards. */
void policy_write(struct text *out, const struct values *defaults);

/* Prints it. Returns the exit status. */
int policy_command(const struct flags *f);

#endif
