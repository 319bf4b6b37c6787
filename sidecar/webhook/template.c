/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const char template_text[] =
#include "webhook/template.json.h"
	;

/* What became of a node: a copy, nothing because a value is "", or no memory. */
enum filled { FILLED, LEFT_OUT, NO_MEMORY };

const cJSON *template_document(void)
{
	static cJSON *document;

	if (!document)
		document = cJSON_Parse(template_text);
	return document;
}

/* Splits around the placeholder; false if there is none. */
static bool find_placeholder(const char *str, char sign, const char **ret_start, struct span *name)
{
	const char open[] = {sign, '{', '\0'};
	const char *start = strstr(str, open);
	const char *end = start ? strchr(start, '}') : NULL;

	if (!end)
		return false;
	*ret_start = start;
	*name = (struct span){start + 2, (size_t)(end - start) - 2};
	return true;
}

bool template_string(const char *str, struct template_string *ret_parts)
{
	bool is_number = false;
	const char *start;
	struct span name;

	if (!find_placeholder(str, '$', &start, &name)) {
		is_number = find_placeholder(str, '#', &start, &name);
		if (!is_number)
			return false;
	}
	for (int i = 0; i < PARAM_MAX; i++) {
		if (!span_is(name, parameter_table[i].name))
			continue;
		*ret_parts = (struct template_string){
			.parameter = (enum parameter_id)i,
			.is_number = is_number,
			.before = {str, (size_t)(start - str)},
			.after = name.ptr + name.len + 1,
		};
		return true;
	}
	return false; /* a name that there is not: the template is tested to have none */
}

static enum filled fill_string(const struct values *v, const char *str, cJSON **ret_node)
{
	struct template_string s;
	struct text out;

	if (!template_string(str, &s)) {
		*ret_node = cJSON_CreateString(str);
		return *ret_node ? FILLED : NO_MEMORY;
	}
	if (!*v->of[s.parameter])
		return LEFT_OUT;
	if (s.is_number) {
		*ret_node = cJSON_CreateNumber(strtod(v->of[s.parameter], NULL));
		return *ret_node ? FILLED : NO_MEMORY;
	}
	text_init(&out);
	text_add_span(&out, s.before);
	text_add(&out, v->of[s.parameter]);
	text_add(&out, s.after);
	*ret_node = out.has_failed ? NULL : cJSON_CreateString(out.ptr);
	text_release(&out);
	return *ret_node ? FILLED : NO_MEMORY;
}

/* The template is our own: its depth is known. */
static enum filled fill(const struct values *v, const cJSON *from, cJSON **ret_node);

static bool add(cJSON *parent, const char *name, cJSON *node)
{
	bool ok = name ? cJSON_AddItemToObject(parent, name, node)
		       : cJSON_AddItemToArray(parent, node);

	if (!ok)
		cJSON_Delete(node);
	return ok;
}

static enum filled fill_children(const struct values *v, const cJSON *from, cJSON *to)
{
	const cJSON *child;
	bool is_missing = false;

	cJSON_ArrayForEach(child, from)
	{
		cJSON *node = NULL;

		switch (fill(v, child, &node)) {
		case FILLED:
			if (!add(to, cJSON_IsObject(from) ? child->string : NULL, node))
				return NO_MEMORY;
			break;
		case LEFT_OUT:
			is_missing = true;
			break;
		case NO_MEMORY:
			return NO_MEMORY;
		}
	}
	/* An object that is an element: it has no name of its own. */
	return is_missing && cJSON_IsObject(from) && !from->string ? LEFT_OUT : FILLED;
}

static enum filled fill(const struct values *v, const cJSON *from, cJSON **ret_node)
{
	enum filled ret = NO_MEMORY;

	if (cJSON_IsString(from))
		return fill_string(v, from->valuestring, ret_node);
	if (!cJSON_IsObject(from) && !cJSON_IsArray(from)) {
		*ret_node = cJSON_Duplicate(from, true);
		return *ret_node ? FILLED : NO_MEMORY;
	}
	*ret_node = cJSON_IsObject(from) ? cJSON_CreateObject() : cJSON_CreateArray();
	if (*ret_node)
		ret = fill_children(v, from, *ret_node);
	if (ret != FILLED) {
		cJSON_Delete(*ret_node);
		*ret_node = NULL;
	}
	return ret;
}

static cJSON *part(const struct values *v, const char *name)
{
	cJSON *node = NULL;

	(void)fill(v, cJSON_GetObjectItemCaseSensitive(template_document(), name), &node);
	return node;
}

cJSON *template_container(const struct values *v, bool is_native)
{
	cJSON *container = part(v, "container");
	cJSON *native = is_native ? part(v, "native") : NULL;
	cJSON *member;

	if (!container || (is_native && !native))
		goto fail;
	while (native && native->child) {
		member = cJSON_DetachItemViaPointer(native, native->child);
		if (!add(container, member->string, member))
			goto fail;
	}
	cJSON_Delete(native);
	return container;
fail:
	cJSON_Delete(native);
	cJSON_Delete(container);
	return NULL;
}

cJSON *template_volumes(const struct values *v)
{
	return part(v, "volumes");
}

cJSON *template_pod(const struct values *v)
{
	return part(v, "pod");
}

const cJSON *template_defaults(const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(template_document(), "defaults"), name);
}

static bool is_default(const char *parent, const cJSON *added)
{
	const cJSON *defaults = parent ? template_defaults(parent) : NULL;
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(defaults, added->string);

	return value && (cJSON_IsNull(value) || cJSON_Compare(value, added, true));
}

static bool is_within(const cJSON *wanted, const cJSON *got);

static bool is_object_within(const cJSON *wanted, const cJSON *got)
{
	const cJSON *child;

	cJSON_ArrayForEach(child, wanted)
	{
		const cJSON *member = cJSON_GetObjectItemCaseSensitive(got, child->string);

		if (!is_within(child, member) && (member || !cJSON_IsArray(child)))
			return false;
	}
	cJSON_ArrayForEach(child, got)
	{
		if (!cJSON_GetObjectItemCaseSensitive(wanted, child->string) &&
		    !is_default(wanted->string, child))
			return false;
	}
	return true;
}

/* The rule of cel_match.h; as deep as the template. */
static bool is_within(const cJSON *wanted, const cJSON *got)
{
	const cJSON *element;
	const cJSON *one;

	if (cJSON_IsObject(wanted))
		return cJSON_IsObject(got) && is_object_within(wanted, got);
	if (!cJSON_IsArray(wanted))
		return cJSON_Compare(wanted, got, true);
	cJSON_ArrayForEach(element, got)
	{
		one = wanted->child;
		while (one && !is_within(one, element))
			one = one->next;
		if (!one)
			return false;
	}
	return cJSON_IsArray(got);
}

bool template_is_volume(const cJSON *wanted, const cJSON *volume)
{
	return is_within(wanted, volume);
}
