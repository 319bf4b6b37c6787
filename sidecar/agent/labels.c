/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/value.h"
#include "pod/podinfo.h"
#include "pod/workload.h"

static void add(struct label *labels, size_t *count, const char *name, const char *value)
{
	if (*value)
		labels[(*count)++] = (struct label){name, value};
}

/* What --pod-labels names, and what becomes of it. */
struct wanted {
	struct labels *labels;
	const char *list;
	size_t count;
};

/* Characters that no label may have become '_' (Prometheus' data model). */
static void set_name(char *name, const char *key)
{
	(void)snprintf(name, POD_LABEL_NAME_MAX, "label_%s", key); /* longer is cut */
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) || (unsigned char)*name > 0x7f)
			*name = '_';
}

static void on_label(void *ctx, const char *key, const char *value)
{
	struct wanted *w = ctx;
	struct pod_label *p = &w->labels->pod[w->count];

	if (w->count == POD_LABELS_MAX || !*value || !value_is_listed(w->list, key))
		return;
	set_name(p->name, key);
	(void)snprintf(p->key, sizeof(p->key), "%s", key); /* longer is cut */
	identity_clean(p->value, value);
	/* a-b and a.b are one name: the first has it. */
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->labels->pod[i].name, p->name) == 0)
			return;
	w->count++;
	w->labels->pod_count++;
	add(w->labels->common, &w->labels->common_count, p->name, p->value);
}

static int add_pod_labels(struct labels *l, const struct label_options *o)
{
	struct wanted w = {.labels = l, .list = o->pod_labels};
	size_t commas = 0;
	char *text;
	int err;

	for (const char *at = o->pod_labels; *at; at++)
		commas += *at == ',';
	if (commas >= POD_LABELS_MAX) {
		log_error("run: --pod-labels: more than %d labels", POD_LABELS_MAX);
		return -E2BIG;
	}
	text = podinfo_read(o->podinfo, "labels");
	if (!text) {
		err = -errno;
		log_error("run: --pod-labels: cannot read %s/labels (%s); mount a downward API "
			  "volume there",
			  o->podinfo, strerror(-err));
		return err;
	}
	l->pod = calloc(POD_LABELS_MAX + 1, sizeof(*l->pod));
	if (l->pod)
		(void)podinfo_parse(text, on_label, &w); /* the kubelet writes whole lines */
	free(text);
	return l->pod ? 0 : -ENOMEM;
}

/*
 * What was said; else what the Pod's name and labels tell, where they are mounted. They tell the
 * kind of what was said, too, if they mean the same.
 */
static const char *workload_of(const struct label_options *o, char found[IDENTITY_VALUE_MAX],
			       enum workload_kind *ret_kind)
{
	bool is_said = o->workload && *o->workload;
	char *labels = o->pod && o->podinfo ? podinfo_read(o->podinfo, "labels") : NULL;
	enum workload_kind kind = labels ? workload_find(o->pod, labels, found) : WORKLOAD_UNKNOWN;

	free(labels);
	*ret_kind = is_said && kind && strcmp(found, o->workload) != 0 ? WORKLOAD_UNKNOWN : kind;
	return is_said || !kind ? o->workload : found;
}

/* What is watched, in the words of the command line. */
static void set_target(struct labels *l, const struct label_options *o)
{
	char name[32];
	const char *slash;

	if (o->cgroup) {
		identity_clean(l->target, o->cgroup);
	} else if (o->pid) {
		(void)snprintf(name, sizeof(name), "pid-%llu", (unsigned long long)o->pid);
		identity_clean(l->target, name);
	} else if (o->command) {
		slash = strrchr(o->command, '/');
		identity_clean(l->target, slash ? slash + 1 : o->command);
	}
}

int labels_init(struct labels *l, const struct label_options *o)
{
	struct identity *id = &l->identity;
	char found[IDENTITY_VALUE_MAX];
	int err;

	*l = (struct labels){0};
	identity_init(id, &(struct identity_words){.job = o->job,
						   .namespace = o->namespace,
						   .pod = o->pod,
						   .node = o->node,
						   .workload = workload_of(o, found, &l->kind)});
	if (*id->instance)
		set_target(l, o);
	add(l->common, &l->common_count, "job", id->job);
	add(l->common, &l->common_count, "target", l->target);
	add(l->common, &l->common_count, "namespace", id->namespace);
	add(l->common, &l->common_count, "pod", id->pod);
	add(l->common, &l->common_count, "node", id->node);
	add(l->common, &l->common_count, "workload", id->workload);
	add(l->group, &l->group_count, "job", id->job);
	add(l->group, &l->group_count, "namespace", id->namespace);
	add(l->group, &l->group_count, "pod", id->pod);
	add(l->group, &l->group_count, "instance", id->instance);
	add(l->group, &l->group_count, "target", l->target);
	err = o->pod_labels ? add_pod_labels(l, o) : 0;
	l->scraped_count = l->common_count;
	if (o->is_pushed)
		add(l->common, &l->scraped_count, "export", "scrape");
	return err;
}

void labels_release(struct labels *l)
{
	free(l->pod);
	l->pod = NULL;
}
