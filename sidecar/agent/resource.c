/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const workload_keys[WORKLOAD_KIND_MAX] = {
	[WORKLOAD_DEPLOYMENT] = "k8s.deployment.name",
	[WORKLOAD_STATEFULSET] = "k8s.statefulset.name",
	[WORKLOAD_DAEMONSET] = "k8s.daemonset.name",
	[WORKLOAD_JOB] = "k8s.job.name",
	[WORKLOAD_CRONJOB] = "k8s.cronjob.name",
};

static void add(struct resource *r, const char *key, const char *value)
{
	if (*value && r->otlp.attribute_count < OTLP_ATTRIBUTES_MAX)
		r->attributes[r->otlp.attribute_count++] = (struct pair){key, value};
}

/* Unless something else is said. */
static void add_found(struct resource *r, const char *key, const char *value)
{
	if (!pairs_find(&r->said, key))
		add(r, key, value);
}

/* A receiver may refuse a whole export for bytes that are not UTF-8. What is cleaned is not longer.
 */
static void clean(struct pairs *p)
{
	char value[IDENTITY_VALUE_MAX];

	for (size_t i = 0; i < p->count; i++) {
		identity_clean(value, p->list[i].value);
		memcpy((char *)p->list[i].value, value, strlen(value) + 1);
	}
}

static void add_said(struct resource *r)
{
	for (size_t i = 0; i < r->said.count; i++) {
		const struct pair *pair = &r->said.list[i];

		if (strcmp(pair->key, r->otlp.container_key) != 0 &&
		    (strcmp(pair->key, "service.name") != 0 || !*r->service_name))
			add(r, pair->key, pair->value);
	}
}

static int add_pod_labels(struct resource *r, const struct labels *labels)
{
	if (!labels->pod_count)
		return 0;
	r->pod_keys = calloc(labels->pod_count, sizeof(r->pod_keys[0]));
	if (!r->pod_keys)
		return -ENOMEM;
	for (size_t i = 0; i < labels->pod_count; i++) {
		(void)snprintf(r->pod_keys[i], sizeof(r->pod_keys[i]), "k8s.pod.label.%s",
			       labels->pod[i].key); /* it fits */
		add_found(r, r->pod_keys[i], labels->pod[i].value);
	}
	return 0;
}

/* The words that are not empty, with dots between them. */
static void join(char *to, size_t size, const char *const *words, size_t count)
{
	size_t len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (*words[i])
			len += (size_t)snprintf(to + len, size - len, "%s%s", len ? "." : "",
						words[i]); /* each has its place in `to` */
}

static void set_instance(struct resource *r, const struct labels *labels)
{
	const struct identity *id = &labels->identity;
	const char *const words[] = {*id->pod ? id->namespace : id->instance,
				     *id->pod ? id->pod : labels->target};

	join(r->instance, sizeof(r->instance), words, 2);
	if (!pairs_find(&r->said, "service.instance.id"))
		r->otlp.instance = r->instance;
}

int resource_init(struct resource *r, const struct labels *labels, const char *service_name,
		  const char *said)
{
	const struct identity *id = &labels->identity;
	int err = 0;

	*r = (struct resource){.otlp = {.attributes = r->attributes}};
	if (said)
		err = pairs_parse(&r->said, said);
	if (err == -ENOMEM)
		return err;
	clean(&r->said);
	identity_clean(r->service_name, service_name ? service_name : "");
	r->otlp.container_key = *id->pod ? "k8s.container.name" : "container.name";
	if (*r->service_name)
		add(r, "service.name", r->service_name);
	else
		add_found(r, "service.name", id->job);
	add_found(r, "service.namespace", id->namespace);
	add_found(r, "k8s.namespace.name", id->namespace);
	add_found(r, "k8s.pod.name", id->pod);
	add_found(r, "k8s.node.name", id->node);
	if (labels->kind)
		add_found(r, workload_keys[labels->kind], id->workload);
	add_found(r, "host.name", id->instance);
	add_found(r, "sidelight.target", labels->target);
	set_instance(r, labels);
	add_said(r);
	return add_pod_labels(r, labels) ? -ENOMEM : err;
}

void resource_release(struct resource *r)
{
	pairs_release(&r->said);
	free(r->pod_keys);
	r->pod_keys = NULL;
}
