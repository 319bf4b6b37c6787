/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The labels of all series, and the grouping key of a Pushgateway: who we
 * report for. --pod-labels adds labels of the Pod, by kube-state-metrics'
 * rule: app.kubernetes.io/name is label_app_kubernetes_io_name. They are as
 * the Pod had them when we started: a series keeps its name.
 *
 * Outside of a Pod several may report for one host: job and target, which names what is watched,
 * tell them apart.
 *
 * A series has the same labels on /metrics as in the gateway, where those of the grouping key are
 * added by the gateway; but instance, which is the scraper's to say. Where both ways are on, what
 * /metrics serves has export="scrape" besides: a Prometheus that collects both can tell the copies
 * apart.
 */
#ifndef SIDELIGHT_AGENT_LABELS_H
#define SIDELIGHT_AGENT_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/text.h"
#include "pod/identity.h"
#include "pod/workload.h"

/* Of the Pod; more are refused. */
#define POD_LABELS_MAX 16
#define LABELS_MAX     (8 + POD_LABELS_MAX)

/* "label_", a prefix of 253, '/', a name of 63. */
#define POD_LABEL_NAME_MAX 328

/* Where the labels come from. Strings are borrowed for the call; NULL where nothing was given. */
struct label_options {
	const char *job;
	const char *namespace;
	const char *pod;
	const char *node;
	const char *workload;
	const char *pod_labels; /* comma-separated */
	const char *podinfo; /* directory of the downward API */
	/* What is watched, outside of a Pod: at most one of the three. */
	const char *cgroup;
	uint64_t pid; /* 0: none */
	const char *command;
	bool is_pushed; /* series go to a Pushgateway, too */
};

struct labels {
	struct label common[LABELS_MAX];
	size_t common_count; /* of all series; */
	size_t scraped_count; /* those of /metrics have these besides, behind the others */
	struct label group[LABELS_MAX];
	size_t group_count;
	struct identity identity; /* what the labels point to, as the next two are */
	char target[IDENTITY_VALUE_MAX]; /* "" in a Pod */
	enum workload_kind kind; /* of the workload */
	size_t pod_count;
	struct pod_label {
		char key[POD_LABEL_NAME_MAX]; /* as Kubernetes has it */
		char name[POD_LABEL_NAME_MAX];
		char value[IDENTITY_VALUE_MAX];
	} * pod; /* owned */
};

/* Must not be moved afterwards. Returns 0, or negative errno after one log line; nothing is to be
 * released then. */
int labels_init(struct labels *l, const struct label_options *o);
/* Accepts a zeroed one. */
void labels_release(struct labels *l);

#endif
