/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/patch.h"

#include "base/text.h"

void patch_init(struct patch *p, const char *prefix)
{
	*p = (struct patch){.prefix = prefix, .operations = cJSON_CreateArray()};
	p->has_failed = !p->operations;
}

void patch_release(struct patch *p)
{
	cJSON_Delete(p->operations);
	p->operations = NULL;
}

/* RFC 6901 section 3. */
static void add_escaped(struct text *path, const char *name)
{
	for (; *name; name++) {
		if (*name == '~')
			text_add(path, "~0");
		else if (*name == '/')
			text_add(path, "~1");
		else
			text_add_char(path, *name);
	}
}

/* value is copied; NULL for an operation that has none. */
static void record(struct patch *p, const char *op, const char *at, const char *name,
		   const cJSON *value)
{
	cJSON *copy = value ? cJSON_Duplicate(value, true) : NULL;
	cJSON *entry = cJSON_CreateObject();
	struct text path;

	text_init(&path);
	text_addf(&path, "%s%s/", p->prefix, at);
	add_escaped(&path, name);
	if (!entry || path.has_failed || (value && !copy) ||
	    !cJSON_AddStringToObject(entry, "op", op) ||
	    !cJSON_AddStringToObject(entry, "path", path.ptr))
		p->has_failed = true;
	else if (copy && cJSON_AddItemToObject(entry, "value", copy))
		copy = NULL;
	else if (copy)
		p->has_failed = true;
	if (p->has_failed || !cJSON_AddItemToArray(p->operations, entry)) {
		p->has_failed = true;
		cJSON_Delete(entry);
	}
	cJSON_Delete(copy);
	text_release(&path);
}

void patch_set(struct patch *p, const char *at, cJSON *object, const char *name, cJSON *value)
{
	bool was_there = cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
	bool ok;

	if (p->has_failed || !value) {
		p->has_failed = true;
		cJSON_Delete(value);
		return;
	}
	/* "add" replaces a member that exists (RFC 6902 section 4.1). */
	record(p, "add", at, name, value);
	ok = was_there ? cJSON_ReplaceItemInObjectCaseSensitive(object, name, value)
		       : cJSON_AddItemToObject(object, name, value);
	if (!ok) {
		p->has_failed = true;
		cJSON_Delete(value);
	}
}

void patch_remove(struct patch *p, const char *at, cJSON *object, const char *name)
{
	if (p->has_failed)
		return;
	record(p, "remove", at, name, NULL);
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

static void insert(struct patch *p, const char *at, cJSON *array, cJSON *value, bool is_first)
{
	bool ok;

	if (p->has_failed || !value) {
		p->has_failed = true;
		cJSON_Delete(value);
		return;
	}
	record(p, "add", at, is_first ? "0" : "-", value);
	ok = is_first && array->child ? cJSON_InsertItemInArray(array, 0, value)
				      : cJSON_AddItemToArray(array, value);
	if (!ok) {
		p->has_failed = true;
		cJSON_Delete(value);
	}
}

void patch_prepend(struct patch *p, const char *at, cJSON *array, cJSON *value)
{
	insert(p, at, array, value, true);
}

void patch_append(struct patch *p, const char *at, cJSON *array, cJSON *value)
{
	insert(p, at, array, value, false);
}

int patch_size(const struct patch *p)
{
	return cJSON_GetArraySize(p->operations);
}
