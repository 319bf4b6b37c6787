/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/injection.h"

#include <stdlib.h>
#include <string.h>

#include "webhook/image.h"
#include "webhook/owner.h"
#include "webhook/pod_resources.h"
#include "webhook/process_one.h"
#include "webhook/template.h"

static cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *string_member(const cJSON *object, const char *name)
{
	const char *str = cJSON_GetStringValue(member(object, name));

	return str ? str : "";
}

static const cJSON *find_named(const cJSON *list, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (strcmp(string_member(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

static bool is_named(const cJSON *list, const char *name)
{
	return find_named(list, name);
}

static bool has_container(const cJSON *spec)
{
	return is_named(member(spec, "initContainers"), TEMPLATE_CONTAINER) ||
	       is_named(member(spec, "containers"), TEMPLATE_CONTAINER);
}

/* By the status, since other webhooks may have changed the container: its image, for instance. */
bool injection_is_present(const cJSON *pod)
{
	const char *status =
		string_member(member(member(pod, "metadata"), "annotations"), ANNOTATION_STATUS);

	return strcmp(status, STATUS_INJECTED) == 0 && has_container(member(pod, "spec"));
}

/* The name of a container that declares the port, or NULL. */
static const char *port_owner(const cJSON *containers, const char *port)
{
	const cJSON *container;
	const cJSON *item;
	double wanted = strtod(port, NULL);

	cJSON_ArrayForEach(container, containers)
	{
		cJSON_ArrayForEach(item, member(container, "ports"))
		{
			const cJSON *number = member(item, "containerPort");

			if (cJSON_IsNumber(number) && number->valuedouble == wanted)
				return string_member(container, "name");
		}
	}
	return NULL;
}

static bool is_windows(const cJSON *spec)
{
	return strcmp(string_member(member(spec, "os"), "name"), "windows") == 0 ||
	       strcmp(string_member(member(spec, "nodeSelector"), "kubernetes.io/os"), "windows") ==
		       0;
}

/* A volume of our name that is another one would be mounted into the container. NULL: none. */
static const char *other_volume(const cJSON *spec)
{
	const cJSON *ours;

	cJSON_ArrayForEach(ours, member(template_document(), "volumes"))
	{
		const char *name = string_member(ours, "name");
		const cJSON *volume = find_named(member(spec, "volumes"), name);

		if (volume && !template_is_volume(ours, volume))
			return name;
	}
	return NULL;
}

const char *injection_refused_by_namespace(const struct injection *in)
{
	if (in->is_restricted)
		return REASON_RESTRICTED;
	if (in->is_unlabelled && strcmp(in->defaults->of[PARAM_POD_SECURITY], "privileged") != 0)
		return REASON_RESTRICTED_CLUSTER;
	return NULL;
}

/* In the order in which a user should mend them. */
bool injection_is_possible(const struct injection *in, const cJSON *pod, const struct values *v,
			   struct text *why)
{
	const cJSON *spec = member(pod, "spec");
	const char *port = v->of[PARAM_METRICS_PORT];
	const char *owner = NULL;

	if (*port)
		owner = port_owner(member(spec, "containers"), port);
	if (*port && !owner)
		owner = port_owner(member(spec, "initContainers"), port);
	if (is_windows(spec))
		text_add(why, REASON_WINDOWS);
	else if (injection_refused_by_namespace(in))
		text_add(why, injection_refused_by_namespace(in));
	else if (member(member(member(pod, "metadata"), "annotations"),
			"kubernetes.io/config.mirror"))
		text_add(why, REASON_MIRROR);
	else if (cJSON_IsFalse(member(spec, "shareProcessNamespace")))
		text_add(why, REASON_NOT_SHARED);
	else if (cJSON_IsTrue(member(spec, "hostPID")))
		text_add(why, REASON_HOST_PID);
	else if (cJSON_IsFalse(member(spec, "hostUsers")))
		text_add(why, REASON_HOST_USERS);
	else if (*port && cJSON_IsTrue(member(spec, "hostNetwork")))
		text_add(why, REASON_HOST_NETWORK);
	else if (has_container(spec))
		text_add(why, REASON_CONTAINER);
	else if (!image_is_permitted(v->of[PARAM_IMAGE], in->defaults))
		text_add(why, REASON_IMAGE);
	else if (other_volume(spec))
		text_addf(why, REASON_VOLUME, other_volume(spec));
	else if (owner)
		text_addf(why, REASON_PORT, port, owner);
	return why->len == 0;
}

static void set_status(cJSON *metadata, struct patch *p, const char *status)
{
	cJSON *annotations = member(metadata, "annotations");

	if (strcmp(string_member(annotations, ANNOTATION_STATUS), status) == 0)
		return;
	if (!cJSON_IsObject(annotations)) {
		patch_set(p, "/metadata", metadata, "annotations", cJSON_CreateObject());
		annotations = member(metadata, "annotations");
	}
	patch_set(p, "/metadata/annotations", annotations, ANNOTATION_STATUS,
		  cJSON_CreateString(status));
}

/* The array `name` of the spec; made if it is not there. */
static cJSON *list_of(cJSON *spec, struct patch *p, const char *name)
{
	if (!member(spec, name) || cJSON_IsNull(member(spec, name)))
		patch_set(p, "/spec", spec, name, cJSON_CreateArray());
	return member(spec, name);
}

static void change_spec(cJSON *spec, const struct values *v, struct patch *p)
{
	bool is_native = strcmp(v->of[PARAM_NATIVE], "true") == 0;
	cJSON *volumes = template_volumes(v);
	cJSON *pod = template_pod(v);
	cJSON *item;

	if (!pod || !volumes)
		p->has_failed = true;
	while (pod && pod->child) {
		item = cJSON_DetachItemViaPointer(pod, pod->child);
		if (cJSON_Compare(member(spec, item->string), item, true))
			cJSON_Delete(item);
		else
			patch_set(p, "/spec", spec, item->string, item);
	}
	cJSON_Delete(pod);
	while (volumes && volumes->child) {
		item = cJSON_DetachItemViaPointer(volumes, volumes->child);
		if (is_named(member(spec, "volumes"), string_member(item, "name")))
			cJSON_Delete(item);
		else
			patch_append(p, "/spec/volumes", list_of(spec, p, "volumes"), item);
	}
	cJSON_Delete(volumes);
	pod_resources_raise(spec, v, p);
	item = template_container(v, is_native);
	if (is_native)
		patch_prepend(p, "/spec/initContainers", list_of(spec, p, "initContainers"), item);
	else
		patch_append(p, "/spec/containers", list_of(spec, p, "containers"), item);
}

/* Members that are there have the types that the changes need. */
static bool is_well_formed(const cJSON *pod)
{
	static const char *const lists[] = {"volumes", "initContainers", "containers"};
	const cJSON *metadata = member(pod, "metadata");
	const cJSON *spec = member(pod, "spec");
	const cJSON *annotations = member(metadata, "annotations");

	if (!cJSON_IsObject(metadata) || !cJSON_IsObject(spec) ||
	    (annotations && !cJSON_IsNull(annotations) && !cJSON_IsObject(annotations)))
		return false;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const cJSON *list = member(spec, lists[i]);

		if (list && !cJSON_IsNull(list) && !cJSON_IsArray(list))
			return false;
	}
	return true;
}

static bool is_asked(const struct injection *in, const cJSON *metadata)
{
	const char *word = string_member(member(metadata, "annotations"), ANNOTATION_INJECT);

	return strcmp(word, "true") == 0 || (in->is_asked && !*word);
}

static void add_warning(cJSON *warnings, struct patch *p, const char *line)
{
	if (!cJSON_AddItemToArray(warnings, cJSON_CreateString(line)))
		p->has_failed = true;
}

/* Are there limits of CPU and memory, equal to the requests? */
static bool is_guaranteed(const cJSON *resources)
{
	static const char *const names[] = {"cpu", "memory"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const cJSON *limit = member(member(resources, "limits"), names[i]);
		const cJSON *request = member(member(resources, "requests"), names[i]);

		if (!*string_member(member(resources, "limits"), names[i]) ||
		    (request && !cJSON_Compare(limit, request, true)))
			return false;
	}
	return true;
}

static bool is_list_guaranteed(const cJSON *list)
{
	const cJSON *container;

	cJSON_ArrayForEach(container, list)
	{
		if (!is_guaranteed(member(container, "resources")))
			return false;
	}
	return true;
}

/* Resources of the Pod as a whole decide, where there are any. */
static bool is_pod_guaranteed(const cJSON *spec)
{
	const cJSON *resources = member(spec, "resources");

	if (member(resources, "requests") || member(resources, "limits"))
		return is_guaranteed(resources);
	return cJSON_GetArraySize(member(spec, "containers")) > 0 &&
	       is_list_guaranteed(member(spec, "containers")) &&
	       is_list_guaranteed(member(spec, "initContainers"));
}

/* Nodes give whole CPUs to Guaranteed Pods only. */
static bool ends_guarantee(const cJSON *spec, const struct values *v)
{
	return (strcmp(v->of[PARAM_CPU], v->of[PARAM_CPU_LIMIT]) != 0 ||
		strcmp(v->of[PARAM_MEMORY], v->of[PARAM_MEMORY_LIMIT]) != 0) &&
	       is_pod_guaranteed(spec);
}

static void warn_of_effects(const cJSON *spec, const struct values *v, struct patch *p,
			    cJSON *warnings)
{
	const char *policy = string_member(spec, "restartPolicy");

	p->has_failed |= !process_one_warn(spec, warnings);
	if (strcmp(v->of[PARAM_NATIVE], "false") == 0 && *policy && strcmp(policy, "Always") != 0)
		add_warning(warnings, p,
			    "sidelight.dev/native: \"false\" keeps a Pod that should end from "
			    "ending: the container runs on");
	if (ends_guarantee(spec, v))
		add_warning(warnings, p,
			    "the Pod's quality of service is no longer Guaranteed; it stays so "
			    "with limits of sidelight equal to its requests "
			    "(sidelight.dev/cpu-limit, sidelight.dev/memory-limit)");
}

static void set_workload(const struct injection *in, const cJSON *metadata, struct values *v,
			 struct text *name)
{
	text_add_span(name, in->workload.len ? in->workload : owner_workload(metadata));
	if (!*v->of[PARAM_WORKLOAD] && parameter_accepts(PARAM_WORKLOAD, name->ptr))
		v->of[PARAM_WORKLOAD] = name->ptr;
}

static void skip(cJSON *metadata, struct patch *p, const struct text *why, cJSON *warnings)
{
	struct text status;

	text_init(&status);
	text_addf(&status, "not injected: %s", why->ptr);
	set_status(metadata, p, status.ptr);
	add_warning(warnings, p, status.ptr);
	p->has_failed |= status.has_failed;
	text_release(&status);
}

enum outcome injection_apply(const struct injection *in, cJSON *pod, struct patch *p,
			     cJSON *warnings)
{
	cJSON *metadata = member(pod, "metadata");
	cJSON *spec = member(pod, "spec");
	bool is_possible;
	struct text workload;
	struct text why;
	struct values v;

	if (!is_well_formed(pod) || !is_asked(in, metadata))
		return OUTCOME_UNASKED;
	if (injection_is_present(pod))
		return OUTCOME_PRESENT;
	text_init(&workload);
	text_init(&why);
	if (!values_resolve(&v, in->defaults, member(metadata, "annotations"), warnings))
		p->has_failed = true;
	values_for_pod(&v, spec);
	set_workload(in, metadata, &v, &workload);
	is_possible = injection_is_possible(in, pod, &v, &why);
	if (is_possible) {
		set_status(metadata, p, STATUS_INJECTED);
		warn_of_effects(spec, &v, p, warnings);
		change_spec(spec, &v, p);
	} else {
		skip(metadata, p, &why, warnings);
	}
	p->has_failed |= workload.has_failed || why.has_failed;
	text_release(&why);
	text_release(&workload);
	return is_possible ? OUTCOME_INJECTED : OUTCOME_SKIPPED;
}
