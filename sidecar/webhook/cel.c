/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/cel.h"

#include <string.h>

#include "webhook/template.h"

/* Where in the written node we are, for `later`. */
struct place {
	const struct place *parent;
	const char *name;
};

void cel_string(struct text *out, const char *str)
{
	text_add_char(out, '"');
	for (; *str; str++) {
		if (*str == '"' || *str == '\\')
			text_add_char(out, '\\');
		text_add_char(out, *str);
	}
	text_add_char(out, '"');
}

void cel_variable(struct text *out, enum parameter_id id)
{
	text_add(out, "variables.");
	for (const char *p = parameter_table[id].name; *p; p++)
		text_add_char(out, *p == '-' ? '_' : *p);
}

void cel_newline(struct cel *c)
{
	text_add_char(c->out, '\n');
	for (size_t i = 0; i < c->indent; i++)
		text_add_char(c->out, ' ');
}

void cel_veto(struct text *out, const char *map, const struct parameter *p)
{
	text_addf(out, "\"%s\" in %s && !(%s[\"%s\"] in [\"\", \"%s\"])", p->name, map, map,
		  p->name, p->revocable);
}

bool cel_may_be_empty(enum parameter_id id)
{
	/* Of these two, `export` takes one away. */
	return !*parameter_table[id].fallback || id == PARAM_METRICS_PORT || id == PARAM_PUSH;
}

/* The parameter for want of which this node is left out, or PARAM_MAX. */
static enum parameter_id condition_of(const cJSON *node)
{
	struct template_string s;

	if (!cJSON_IsString(node) || !template_string(node->valuestring, &s) ||
	    !cel_may_be_empty(s.parameter))
		return PARAM_MAX;
	return s.parameter;
}

static void write_string(struct cel *c, const char *str)
{
	struct template_string s;
	struct text before;

	if (!template_string(str, &s)) {
		cel_string(c->out, str);
		return;
	}
	if (s.is_number) {
		text_add(c->out, "int(");
		cel_variable(c->out, s.parameter);
		text_add_char(c->out, ')');
		return;
	}
	if (s.before.len) {
		text_init(&before);
		text_add_span(&before, s.before);
		cel_string(c->out, before.ptr);
		text_add(c->out, " + ");
		c->out->has_failed |= before.has_failed;
		text_release(&before);
	}
	cel_variable(c->out, s.parameter);
	if (*s.after) {
		text_add(c->out, " + ");
		cel_string(c->out, s.after);
	}
}

static void add_place(struct text *path, const struct place *place)
{
	if (!place)
		return;
	add_place(path, place->parent);
	text_addf(path, "/%s", place->name);
}

static void tell_later(struct cel *c, const struct place *place, enum parameter_id id,
		       const cJSON *node)
{
	struct text path;

	text_init(&path);
	add_place(&path, place);
	if (c->later)
		c->later(c->ctx, path.ptr, id, node);
	c->out->has_failed |= path.has_failed;
	text_release(&path);
}

/* The template is our own: its depth is known. */
static void write_node(struct cel *c, const cJSON *node, const struct place *place);

/* Members of an element of an array are its own affair: it comes and goes as a whole. */
static void write_object(struct cel *c, const cJSON *node, const struct place *place,
			 bool is_element)
{
	const cJSON *child;
	bool is_first = true;

	text_add_char(c->out, '{');
	c->indent += 2;
	cJSON_ArrayForEach(child, node)
	{
		struct place here = {place, child->string};
		enum parameter_id condition = condition_of(child);

		if (condition != PARAM_MAX && !is_element) {
			tell_later(c, &here, condition, child);
			continue;
		}
		if (!is_first)
			text_add_char(c->out, ',');
		is_first = false;
		cel_newline(c);
		cel_string(c->out, child->string);
		text_add(c->out, ": dyn(");
		write_node(c, child, &here);
		text_add_char(c->out, ')');
	}
	c->indent -= 2;
	if (!is_first)
		cel_newline(c);
	text_add_char(c->out, '}');
}

static enum parameter_id condition_of_element(const cJSON *element)
{
	enum parameter_id found = condition_of(element);
	const cJSON *child;

	if (cJSON_IsObject(element)) {
		cJSON_ArrayForEach(child, element)
		{
			if (condition_of(child) != PARAM_MAX)
				found = condition_of(child);
		}
	}
	return found;
}

/* [a, b] + (variables.x != "" ? [c] : []) + [d] */
static void write_array(struct cel *c, const cJSON *node, const struct place *place)
{
	bool is_open = false; /* a list of elements that are always there */
	const cJSON *child;

	if (!node->child) {
		text_add(c->out, "[]");
		return;
	}
	c->indent += 2;
	cJSON_ArrayForEach(child, node)
	{
		enum parameter_id condition = condition_of_element(child);

		if (is_open && condition != PARAM_MAX) {
			text_add_char(c->out, ']');
			is_open = false;
		} else if (is_open) {
			text_add_char(c->out, ',');
		}
		if (child != node->child && !is_open)
			text_add(c->out, " +");
		cel_newline(c);
		if (condition != PARAM_MAX) {
			text_add_char(c->out, '(');
			cel_variable(c->out, condition);
			text_add(c->out, " == \"\" ? [] : ");
		}
		if (!is_open)
			text_add_char(c->out, '[');
		if (cJSON_IsObject(child))
			write_object(c, child, place, true);
		else
			write_node(c, child, place);
		is_open = condition == PARAM_MAX;
		if (!is_open)
			text_add(c->out, "])");
	}
	if (is_open)
		text_add_char(c->out, ']');
	c->indent -= 2;
}

static void write_node(struct cel *c, const cJSON *node, const struct place *place)
{
	if (cJSON_IsObject(node))
		write_object(c, node, place, false);
	else if (cJSON_IsArray(node))
		write_array(c, node, place);
	else if (cJSON_IsString(node))
		write_string(c, node->valuestring);
	else if (cJSON_IsBool(node))
		text_add(c->out, cJSON_IsTrue(node) ? "true" : "false");
	else if (cJSON_IsNumber(node))
		text_addf(c->out, "%.0f", node->valuedouble);
	else
		text_add(c->out, "null");
}

void cel_node(struct cel *c, const cJSON *node)
{
	write_node(c, node, NULL);
}
