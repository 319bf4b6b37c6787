/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/owner.h"

static const char *string_member(const cJSON *object, const char *name)
{
	const char *str = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return str ? str : "";
}

static const cJSON *controller_of(const cJSON *metadata)
{
	const cJSON *owner;

	cJSON_ArrayForEach(owner, cJSON_GetObjectItemCaseSensitive(metadata, "ownerReferences"))
	{
		if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(owner, "controller")))
			return owner;
	}
	return NULL;
}

/* Without "-suffix" at the end, if it is there and something is before it. */
static struct span strip(struct span name, struct span suffix)
{
	size_t rest = name.len - suffix.len;

	if (suffix.len == 0 || name.len < suffix.len + 2 || name.ptr[rest - 1] != '-' ||
	    !span_eq(span_from(name, rest), suffix))
		return name;
	return (struct span){name.ptr, rest - 1};
}

static struct span last_digits(struct span name)
{
	size_t n = 0;

	while (n < name.len && name.ptr[name.len - n - 1] >= '0' &&
	       name.ptr[name.len - n - 1] <= '9')
		n++;
	return n >= 8 && n <= 10 ? span_from(name, name.len - n) : (struct span){"", 0};
}

struct span owner_workload(const cJSON *metadata)
{
	const cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
	const cJSON *owner = controller_of(metadata);
	struct span kind = span_of(string_member(owner, "kind"));
	struct span name = span_of(string_member(owner, "name"));

	if (span_is(kind, "ReplicaSet"))
		return strip(name, span_of(string_member(labels, "pod-template-hash")));
	if (span_is(kind, "Job"))
		return strip(name, last_digits(name));
	return name;
}

bool owner_is_controller(const cJSON *metadata)
{
	return controller_of(metadata);
}
