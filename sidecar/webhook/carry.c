/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/carry.h"

#include <string.h>

#include "base/text.h"
#include "webhook/manifest.h"
#include "webhook/owner.h"
#include "webhook/process_one.h"

/* The template's annotations, and where they are. */
struct target {
	cJSON *template;
	cJSON *annotations; /* NULL: there are none yet */
	struct text path; /* of the template */
	struct text metadata_path;
	struct text annotations_path;
	const char *carried; /* names, comma-separated; "": none. Borrowed from annotations */
};

static cJSON *object_member(const cJSON *object, const char *name)
{
	cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsObject(found) ? found : NULL;
}

static const char *string_member(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static bool is_listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; *at;) {
		size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, name, n) == 0)
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

static bool is_ours(const char *annotation)
{
	return strncmp(annotation, PARAMETER_PREFIX, strlen(PARAMETER_PREFIX)) == 0 &&
	       strcmp(annotation, ANNOTATION_STATUS) != 0 &&
	       strcmp(annotation, ANNOTATION_CARRIED) != 0;
}

static const char *short_name(const char *annotation)
{
	return annotation + strlen(PARAMETER_PREFIX);
}

static void set_annotation(struct target *t, struct patch *p, const char *name, const char *value)
{
	const char *now = string_member(t->annotations, name);

	if (now && strcmp(now, value) == 0)
		return;
	if (!object_member(t->template, "metadata"))
		patch_set(p, t->path.ptr, t->template, "metadata", cJSON_CreateObject());
	if (!t->annotations) {
		cJSON *metadata = object_member(t->template, "metadata");

		patch_set(p, t->metadata_path.ptr, metadata, "annotations", cJSON_CreateObject());
		t->annotations = object_member(metadata, "annotations");
	}
	patch_set(p, t->annotations_path.ptr, t->annotations, name, cJSON_CreateString(value));
}

/* What was carried and is no longer said. */
static void remove_old(struct target *t, struct patch *p, const cJSON *said)
{
	for (const char *at = t->carried; *at;) {
		size_t n = strcspn(at, ",");
		struct text name;

		text_init(&name);
		text_addf(&name, PARAMETER_PREFIX "%.*s", (int)n, at);
		p->has_failed |= name.has_failed;
		if (is_ours(name.ptr) && !string_member(said, name.ptr) &&
		    string_member(t->annotations, name.ptr))
			patch_remove(p, t->annotations_path.ptr, t->annotations, name.ptr);
		text_release(&name);
		at += n + (at[n] == ',');
	}
}

static void add_warning(struct patch *p, cJSON *warnings, const char *line)
{
	if (!cJSON_AddItemToArray(warnings, cJSON_CreateString(line)))
		p->has_failed = true;
}

static void warn_of_own(struct patch *p, cJSON *warnings, const char *name)
{
	struct text line;

	text_init(&line);
	text_addf(&line, "%.128s: the Pod template says otherwise, and wins", name);
	add_warning(p, warnings, line.ptr);
	p->has_failed |= line.has_failed;
	text_release(&line);
}

/* Adds the names that are carried to `names`. */
static void carry_new(struct target *t, struct patch *p, const cJSON *said, struct text *names,
		      cJSON *warnings)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, said)
	{
		const char *own = string_member(t->annotations, item->string);

		if (!cJSON_IsString(item) || !is_ours(item->string) || strchr(item->string, ','))
			continue;
		if (own && !is_listed(t->carried, short_name(item->string))) {
			if (strcmp(own, item->valuestring) != 0)
				warn_of_own(p, warnings, item->string);
			continue;
		}
		set_annotation(t, p, item->string, item->valuestring);
		text_addf(names, "%s%s", names->len ? "," : "", short_name(item->string));
	}
}

/* The marker last: t->carried is borrowed from it. */
static void set_marker(struct target *t, struct patch *p, const struct text *names)
{
	if (names->len)
		set_annotation(t, p, ANNOTATION_CARRIED, names->ptr);
	else if (string_member(t->annotations, ANNOTATION_CARRIED))
		patch_remove(p, t->annotations_path.ptr, t->annotations, ANNOTATION_CARRIED);
}

/* Nothing is said any more: NULL. */
static void carry(struct target *t, struct patch *p, const cJSON *said, cJSON *warnings)
{
	struct text names;

	text_init(&names);
	remove_old(t, p, said);
	if (said)
		carry_new(t, p, said, &names, warnings);
	set_marker(t, p, &names);
	p->has_failed |= names.has_failed;
	text_release(&names);
}

static void warn_of_template(const struct injection *in, const struct target *t, struct patch *p,
			     cJSON *warnings)
{
	struct values v;
	struct text why;
	struct text line;

	/* The static component put it there: its Pods are left as they are. */
	if (injection_is_present(t->template))
		return;
	text_init(&why);
	text_init(&line);
	if (!values_resolve(&v, in->defaults, t->annotations, warnings))
		p->has_failed = true;
	if (!injection_is_possible(in, t->template, &v, &why)) {
		text_addf(&line, "its Pods will not be injected: %s", why.ptr);
		add_warning(p, warnings, line.ptr);
	} else if (!process_one_warn(object_member(t->template, "spec"), warnings)) {
		p->has_failed = true;
	}
	p->has_failed |= why.has_failed || line.has_failed;
	text_release(&line);
	text_release(&why);
}

static bool target_init(struct target *t, cJSON *object, const char *path)
{
	cJSON *metadata;

	*t = (struct target){.template = manifest_at(object, path), .carried = ""};
	if (!cJSON_IsObject(t->template) || !object_member(t->template, "spec"))
		return false;
	metadata = object_member(t->template, "metadata");
	t->annotations = object_member(metadata, "annotations");
	if (string_member(t->annotations, ANNOTATION_CARRIED))
		t->carried = string_member(t->annotations, ANNOTATION_CARRIED);
	text_init(&t->path);
	text_init(&t->metadata_path);
	text_init(&t->annotations_path);
	text_add(&t->path, path);
	text_addf(&t->metadata_path, "%s/metadata", path);
	text_addf(&t->annotations_path, "%s/metadata/annotations", path);
	return true;
}

static void target_release(struct target *t)
{
	text_release(&t->path);
	text_release(&t->metadata_path);
	text_release(&t->annotations_path);
}

enum carry_outcome carry_apply(const struct injection *in, const char *kind, bool is_create,
			       cJSON *object, struct patch *p, cJSON *warnings)
{
	const cJSON *metadata = object_member(object, "metadata");
	const cJSON *said = object_member(metadata, "annotations");
	const char *word = string_member(said, ANNOTATION_INJECT);
	bool is_on = word && strcmp(word, "true") == 0;
	enum carry_outcome outcome = CARRY_UNASKED;
	struct target t;
	bool was_on;

	if (!target_init(&t, object, manifest_pod_path(kind)))
		return CARRY_UNASKED;
	if (owner_is_controller(metadata)) {
		if (is_on && !string_member(t.annotations, ANNOTATION_INJECT))
			add_warning(p, warnings,
				    "the object has a controller, to which its Pod template is "
				    "left: annotate what the controller makes it from");
		target_release(&t);
		return CARRY_CONTROLLED;
	}
	if (strcmp(kind, "Job") == 0 && !is_create) {
		if (is_on && !string_member(t.annotations, ANNOTATION_INJECT))
			add_warning(
				p, warnings,
				"a Job's Pod template cannot change: the annotation counts only "
				"when the Job is created");
		target_release(&t);
		return CARRY_FIXED;
	}
	was_on = *t.carried;
	if (is_on || was_on) {
		if (!is_on || !injection_refused_by_namespace(in))
			carry(&t, p, is_on ? said : NULL, warnings);
		if (is_on)
			warn_of_template(in, &t, p, warnings);
		outcome = patch_size(p) == 0 ? CARRY_UNCHANGED
			  : is_on	     ? CARRY_CARRIED
					     : CARRY_REMOVED;
	}
	p->has_failed |=
		t.path.has_failed || t.metadata_path.has_failed || t.annotations_path.has_failed;
	target_release(&t);
	return outcome;
}
