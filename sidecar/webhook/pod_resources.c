/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/pod_resources.h"

#include <math.h>
#include <stddef.h>

#include "webhook/cel.h"
#include "webhook/quantity.h"

/* The value is written in thousandths of a CPU, or in bytes. */
static const struct row {
	const char *list;
	const char *resource;
	enum parameter_id parameter;
	enum parameter_id fallback; /* where the parameter has no value */
	double units;
	const char *suffix;
} rows[] = {
	{"requests", "cpu", PARAM_CPU, PARAM_CPU, 1000, "m"},
	{"requests", "memory", PARAM_MEMORY, PARAM_MEMORY, 1, ""},
	{"limits", "cpu", PARAM_CPU_LIMIT, PARAM_CPU, 1000, "m"},
	{"limits", "memory", PARAM_MEMORY_LIMIT, PARAM_MEMORY, 1, ""},
};

static void raise_row(const struct row *row, cJSON *resources, const struct values *v,
		      struct patch *p)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(resources, row->list);
	const char *ours = v->of[row->parameter];
	struct text path;
	struct text sum;
	double said;
	double added;

	if (!quantity_read(cJSON_GetObjectItemCaseSensitive(list, row->resource), &said) ||
	    !quantity_parse(*ours ? ours : v->of[row->fallback], &added))
		return;
	text_init(&path);
	text_init(&sum);
	text_addf(&path, "/spec/resources/%s", row->list);
	text_addf(&sum, "%.0f%s", floor((said + added) * row->units + 0.5), row->suffix);
	p->has_failed |= path.has_failed || sum.has_failed;
	patch_set(p, path.ptr, list, row->resource, cJSON_CreateString(sum.ptr));
	text_release(&sum);
	text_release(&path);
}

void pod_resources_raise(cJSON *spec, const struct values *v, struct patch *p)
{
	cJSON *resources = cJSON_GetObjectItemCaseSensitive(spec, "resources");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		raise_row(&rows[i], resources, v, p);
}

/* quantity() has no way back to a string but through numbers. */
static void write_sum(struct text *out, const struct row *row)
{
	text_addf(out, "string(int(quantity(object.spec.resources.%s[\"%s\"]).add(quantity(",
		  row->list, row->resource);
	if (cel_may_be_empty(row->parameter)) {
		cel_variable(out, row->parameter);
		text_add(out, " == \"\" ? ");
		cel_variable(out, row->fallback);
		text_add(out, " : ");
	}
	cel_variable(out, row->parameter);
	text_addf(out, ")).asApproximateFloat() * %.1f + 0.5))", row->units);
	if (*row->suffix) {
		text_add(out, " + ");
		cel_string(out, row->suffix);
	}
}

void pod_resources_write(struct text *out, size_t indent)
{
	struct cel cel = {.out = out, .indent = indent};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		text_addf(out,
			  "(has(object.spec.resources) && has(object.spec.resources.%s) && "
			  "\"%s\" in object.spec.resources.%s ? [JSONPatch{op: \"add\", "
			  "path: \"/spec/resources/%s/%s\", value: dyn(",
			  row->list, row->resource, row->list, row->list, row->resource);
		write_sum(out, row);
		text_add(out, ")}] : []) +");
		cel_newline(&cel);
	}
}
