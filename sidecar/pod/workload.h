/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of a Pod by its name and the labels that its controller gives it, for a container
 * where no name is configured (the static sidecar). The names are those of the webhook
 * (webhook/owner.h):
 *
 *     shop-6d4cf56db6-x7k2p, pod-template-hash=6d4cf56db6           shop
 *     report-28934561-q9w8e, batch.kubernetes.io/job-name=report-28934561   report
 *     db-0, apps.kubernetes.io/pod-index=0                          db
 *     agent-x7k2p, controller-revision-hash and no label of a StatefulSet   agent
 */
#ifndef SIDELIGHT_POD_WORKLOAD_H
#define SIDELIGHT_POD_WORKLOAD_H

#include "pod/identity.h"

enum workload_kind {
	WORKLOAD_UNKNOWN,
	WORKLOAD_DEPLOYMENT,
	WORKLOAD_STATEFULSET,
	WORKLOAD_DAEMONSET,
	WORKLOAD_JOB,
	WORKLOAD_CRONJOB,
	WORKLOAD_KIND_MAX,
};

/*
 * `labels` is the text of the downward API's file, which is changed. WORKLOAD_UNKNOWN, and nothing
 * written, where name and labels do not tell.
 */
enum workload_kind workload_find(const char *pod, char *labels,
				 char ret_workload[IDENTITY_VALUE_MAX]);

#endif
