/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

static void add(struct label *labels, size_t *count, const char *name, const char *value)
{
	if (*value)
		labels[(*count)++] = (struct label){name, value};
}

void labels_init(struct labels *l, const struct options *o)
{
	struct identity *id = &l->identity;

	l->common_count = l->group_count = 0;
	identity_init(id, &(struct identity_words){.job = o->job,
						   .namespace = o->namespace,
						   .pod = o->pod,
						   .node = o->node,
						   .workload = o->workload});
	add(l->common, &l->common_count, "namespace", id->namespace);
	add(l->common, &l->common_count, "pod", id->pod);
	add(l->common, &l->common_count, "node", id->node);
	add(l->common, &l->common_count, "workload", id->workload);
	add(l->group, &l->group_count, "job", id->job);
	add(l->group, &l->group_count, "namespace", id->namespace);
	add(l->group, &l->group_count, "pod", id->pod);
	add(l->group, &l->group_count, "instance", id->instance);
}
