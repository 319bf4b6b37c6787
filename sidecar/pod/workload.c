/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/workload.h"

#include <stdio.h>
#include <string.h>

#include "base/span.h"
#include "pod/podinfo.h"

#define SUFFIX_LEN 5 /* that the API server appends to generateName */
/* generateName is cut so that the name has 63 bytes. */
#define GENERATED_MAX (63 - SUFFIX_LEN)

struct labels_of_controllers {
	char job[IDENTITY_VALUE_MAX];
	char template_hash[IDENTITY_VALUE_MAX];
	bool is_stateful;
	bool has_revision;
};

static void on_label(void *ctx, const char *key, const char *value)
{
	struct labels_of_controllers *l = ctx;

	/* Before 1.27 a Job's label has no prefix; both have the same value. */
	if (strcmp(key, "batch.kubernetes.io/job-name") == 0 || strcmp(key, "job-name") == 0)
		identity_clean(l->job, value);
	else if (strcmp(key, "pod-template-hash") == 0)
		identity_clean(l->template_hash, value);
	else if (strcmp(key, "statefulset.kubernetes.io/pod-name") == 0 ||
		 strcmp(key, "apps.kubernetes.io/pod-index") == 0)
		l->is_stateful = true;
	else if (strcmp(key, "controller-revision-hash") == 0)
		l->has_revision = true;
}

static size_t digits_at_end(struct span name)
{
	size_t n = 0;

	while (n < name.len && name.ptr[name.len - n - 1] >= '0' &&
	       name.ptr[name.len - n - 1] <= '9')
		n++;
	return n;
}

/* Without "-" and n more bytes at the end; empty if there is nothing before them. */
static struct span cut(struct span name, size_t n)
{
	if (name.len < n + 2 || name.ptr[name.len - n - 1] != '-')
		return (struct span){"", 0};
	return (struct span){name.ptr, name.len - n - 1};
}

/* A CronJob appends the minutes since 1970. */
static struct span of_job(struct span job)
{
	size_t n = digits_at_end(job);
	struct span cronjob = n >= 8 && n <= 10 ? cut(job, n) : (struct span){"", 0};

	return cronjob.len ? cronjob : job;
}

/* In a name that was cut, the hash is not whole, and what is before it is a guess. */
static struct span of_replica_set(struct span pod, struct span hash)
{
	struct span set = cut(pod, SUFFIX_LEN);
	struct span name = cut(set, hash.len);

	if (set.len >= GENERATED_MAX || !name.len ||
	    !span_eq(span_from(set, set.len - hash.len), hash))
		return (struct span){"", 0};
	return name;
}

enum workload_kind workload_find(const char *pod, char *labels,
				 char ret_workload[IDENTITY_VALUE_MAX])
{
	struct labels_of_controllers l = {0};
	enum workload_kind kind = WORKLOAD_UNKNOWN;
	struct span name = span_of(pod);
	struct span found = {"", 0};

	(void)podinfo_parse(labels, on_label, &l); /* the kubelet writes whole lines */
	if (*l.job) {
		found = of_job(span_of(l.job));
		kind = span_is(found, l.job) ? WORKLOAD_JOB : WORKLOAD_CRONJOB;
	} else if (*l.template_hash) {
		found = of_replica_set(name, span_of(l.template_hash));
		kind = WORKLOAD_DEPLOYMENT;
	} else if (l.is_stateful && digits_at_end(name)) {
		found = cut(name, digits_at_end(name));
		kind = WORKLOAD_STATEFULSET;
	} else if (l.has_revision && !l.is_stateful) {
		found = cut(name, SUFFIX_LEN);
		kind = WORKLOAD_DAEMONSET;
	}
	if (!found.len || found.len >= IDENTITY_VALUE_MAX)
		return WORKLOAD_UNKNOWN;
	(void)snprintf(ret_workload, IDENTITY_VALUE_MAX, "%.*s", (int)found.len, found.ptr);
	return kind;
}
