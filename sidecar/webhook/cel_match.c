/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/cel_match.h"

#include <ctype.h>
#include <string.h>

#include "webhook/template.h"

static bool is_list_of_objects(const cJSON *node)
{
	return cJSON_IsArray(node) && cJSON_IsObject(node->child);
}

bool cel_is_optional(const cJSON *member)
{
	struct template_string s;

	if (is_list_of_objects(member))
		return true;
	return cJSON_IsString(member) && template_string(member->valuestring, &s) &&
	       cel_may_be_empty(s.parameter);
}

void cel_members(struct text *out, const char *name, const cJSON *node)
{
	const cJSON *defaults = name ? template_defaults(name) : NULL;
	const cJSON *child;
	const char *comma = "";

	text_add_char(out, '[');
	cJSON_ArrayForEach(child, node)
	{
		text_addf(out, "%s\"%s\"", comma, child->string);
		comma = ", ";
	}
	cJSON_ArrayForEach(child, defaults)
	{
		text_addf(out, "%s\"%s\"", comma, child->string);
		comma = ", ";
	}
	text_add_char(out, ']');
}

/* Only letters and digits mean the same in every regular expression. */
static void add_literal(struct text *pattern, struct span literal)
{
	for (size_t i = 0; i < literal.len; i++)
		text_addf(pattern, isalnum((unsigned char)literal.ptr[i]) ? "%c" : "[%c]",
			  literal.ptr[i]);
}

static void match_string(struct cel *c, const char *x, const char *str)
{
	struct template_string s;
	struct text pattern;
	struct span inner;

	if (!template_string(str, &s)) {
		text_addf(c->out, "%s == ", x);
		cel_string(c->out, str);
		return;
	}
	/* Patterns are anchored at both ends. */
	inner = span_of(parameter_table[s.parameter].pattern + 1);
	inner.len--;
	text_init(&pattern);
	text_add_char(&pattern, '^');
	add_literal(&pattern, s.before);
	text_add_char(&pattern, '(');
	text_add_span(&pattern, inner);
	text_add_char(&pattern, ')');
	add_literal(&pattern, span_of(s.after));
	text_add_char(&pattern, '$');
	text_addf(c->out, "%s.matches(", x);
	cel_string(c->out, pattern.ptr);
	text_add_char(c->out, ')');
	c->out->has_failed |= pattern.has_failed;
	text_release(&pattern);
}

static bool is_any_number(const cJSON *node)
{
	struct template_string s;

	return cJSON_IsString(node) && template_string(node->valuestring, &s) && s.is_number;
}

static void match_member(struct cel *c, const char *x, const cJSON *child, bool is_optional)
{
	struct text path;

	text_init(&path);
	text_addf(&path, "%s.%s", x, child->string);
	text_add(c->out, " &&");
	cel_newline(c);
	if (is_optional)
		text_addf(c->out, "(!has(%s) || ", path.ptr);
	else
		text_addf(c->out, "has(%s)", path.ptr);
	if (!is_optional && !is_any_number(child))
		text_add(c->out, " && ");
	if (!is_any_number(child))
		cel_match(c, path.ptr, child);
	if (is_optional)
		text_add_char(c->out, ')');
	c->out->has_failed |= path.has_failed;
	text_release(&path);
}

static void match_object(struct cel *c, const char *x, const cJSON *node)
{
	const cJSON *defaults = node->string ? template_defaults(node->string) : NULL;
	const cJSON *child;

	text_addf(c->out, "dyn(%s).all(m_k, m_k in ", x);
	cel_members(c->out, node->string, node);
	text_add_char(c->out, ')');
	c->indent += 2;
	cJSON_ArrayForEach(child, node)
	{
		/* An element of a list is there as a whole. */
		match_member(c, x, child, node->string && cel_is_optional(child));
	}
	cJSON_ArrayForEach(child, defaults)
	{
		if (!cJSON_IsNull(child))
			match_member(c, x, child, true);
	}
	c->indent -= 2;
}

/* X.filter(m_k, m_k != variables.c) == ["a", "b"] */
static void match_strings(struct cel *c, const char *x, const cJSON *node)
{
	const char *comma = "";
	const cJSON *child;

	text_add(c->out, x);
	cJSON_ArrayForEach(child, node)
	{
		if (!cel_is_optional(child))
			continue;
		text_add(c->out, ".filter(m_k, m_k != ");
		cel_node(c, child);
		text_add_char(c->out, ')');
	}
	text_add(c->out, " == [");
	cJSON_ArrayForEach(child, node)
	{
		if (cel_is_optional(child))
			continue;
		text_add(c->out, comma);
		cel_node(c, child);
		comma = ", ";
	}
	text_add_char(c->out, ']');
}

static void match_list(struct cel *c, const char *x, const cJSON *node)
{
	const cJSON *child;

	if (!is_list_of_objects(node)) {
		match_strings(c, x, node);
		return;
	}
	text_addf(c->out, "%s.all(m_e,", x);
	c->indent += 2;
	cJSON_ArrayForEach(child, node)
	{
		if (child != node->child)
			text_add(c->out, " ||");
		cel_newline(c);
		text_add_char(c->out, '(');
		cel_match(c, "m_e", child);
		text_add_char(c->out, ')');
	}
	c->indent -= 2;
	text_add_char(c->out, ')');
}

void cel_match(struct cel *c, const char *x, const cJSON *node)
{
	if (cJSON_IsObject(node))
		match_object(c, x, node);
	else if (cJSON_IsArray(node))
		match_list(c, x, node);
	else if (cJSON_IsString(node))
		match_string(c, x, node->valuestring);
	else if (cJSON_IsBool(node))
		text_addf(c->out, "%s == %s", x, cJSON_IsTrue(node) ? "true" : "false");
	else
		text_addf(c->out, "%s == %.0f", x, node->valuedouble);
}
