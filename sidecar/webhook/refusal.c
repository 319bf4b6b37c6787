/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "webhook/quantity.h"

struct finder {
	const cJSON *resources; /* of the container */
	cJSON *warnings;
	int count;
	bool has_failed;
};

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *string_member(const cJSON *object, const char *name)
{
	const char *str = cJSON_GetStringValue(member(object, name));

	return str ? str : "";
}

static void report(struct finder *f, const cJSON *object, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void report(struct finder *f, const cJSON *object, const char *fmt, ...)
{
	struct text line;
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap); /* longer is cut */
	va_end(ap);
	text_init(&line);
	text_addf(&line, "%s %.253s will refuse it: %s", string_member(object, "kind"),
		  string_member(member(object, "metadata"), "name"), why);
	f->count++;
	f->has_failed |=
		line.has_failed || !cJSON_AddItemToArray(f->warnings, cJSON_CreateString(line.ptr));
	text_release(&line);
}

/* What quotas count of a container: "cpu" and "requests.cpu" are one. */
static const struct {
	const char *name;
	const char *list;
	const char *resource;
	const char *parameter;
} counted[] = {
	{"cpu", "requests", "cpu", "cpu"},
	{"requests.cpu", "requests", "cpu", "cpu"},
	{"limits.cpu", "limits", "cpu", "cpu-limit"},
	{"memory", "requests", "memory", "memory"},
	{"requests.memory", "requests", "memory", "memory"},
	{"limits.memory", "limits", "memory", "memory-limit"},
};

static void check_quota(struct finder *f, const cJSON *quota)
{
	const cJSON *hard = member(member(quota, "spec"), "hard");

	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		const cJSON *most = member(hard, counted[i].name);
		double limit;
		double used = 0;
		double ours;

		if (!quantity_read(most, &limit))
			continue;
		(void)quantity_read(
			member(member(member(quota, "status"), "used"), counted[i].name),
			&used); /* without status nothing is used */
		if (!quantity_read(
			    member(member(f->resources, counted[i].list), counted[i].resource),
			    &ours))
			report(f, quota, "%s must be said; sidelight.dev/%s says it",
			       counted[i].name, counted[i].parameter);
		else if (used + ours > limit)
			report(f, quota, "%s has less left than the container's %s",
			       counted[i].name,
			       string_member(member(f->resources, counted[i].list),
					     counted[i].resource));
	}
}

/* As LimitRanger and the API server's defaults leave it; false: there is no limit. */
static bool limit_of(const struct finder *f, const cJSON *range, const char *resource,
		     double *ret_limit)
{
	return quantity_read(member(member(f->resources, "limits"), resource), ret_limit) ||
	       quantity_read(member(member(range, "default"), resource), ret_limit) ||
	       quantity_read(member(member(range, "max"), resource), ret_limit);
}

static void check_range(struct finder *f, const cJSON *object, const cJSON *range)
{
	static const char *const resources[] = {"cpu", "memory"};

	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
		const char *name = resources[i];
		double bound;
		double request = 0;
		double limit = 0;
		bool has_limit = limit_of(f, range, name, &limit);

		if (!quantity_read(member(member(f->resources, "requests"), name), &request))
			continue;
		if (quantity_read(member(member(range, "min"), name), &bound) &&
		    (request < bound || (has_limit && limit < bound)))
			report(f, object, "%s is below the minimum; sidelight.dev/%s raises it",
			       name, name);
		if (quantity_read(member(member(range, "max"), name), &bound) &&
		    (request > bound || limit > bound))
			report(f, object,
			       "%s is above the maximum; sidelight.dev/%s and %s-limit lower it",
			       name, name, name);
		if (has_limit && limit < request)
			report(f, object,
			       "its default limit of %s is below the request; "
			       "sidelight.dev/%s-limit says another",
			       name, name);
		if (quantity_read(member(member(range, "maxLimitRequestRatio"), name), &bound) &&
		    (!has_limit || limit > request * bound))
			report(f, object,
			       "the limit of %s is too many times the request; sidelight.dev/%s "
			       "and %s-limit choose others",
			       name, name, name);
	}
}

bool refusal_find(const cJSON *container, const cJSON *items, cJSON *warnings, int *count)
{
	struct finder f = {.resources = member(container, "resources"), .warnings = warnings};
	const cJSON *object;
	const cJSON *range;

	cJSON_ArrayForEach(object, items)
	{
		const char *kind = string_member(object, "kind");

		if (strcmp(kind, "ResourceQuota") == 0)
			check_quota(&f, object);
		if (strcmp(kind, "LimitRange") != 0)
			continue;
		cJSON_ArrayForEach(range, member(member(object, "spec"), "limits"))
		{
			if (strcmp(string_member(range, "type"), "Container") == 0)
				check_range(&f, object, range);
		}
	}
	*count += f.count;
	return !f.has_failed;
}
