/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route_doubt.h"

#include <stdbool.h>
#include <string.h>

#include "txn/route_pattern.h"

/* Removes the next template from the list; empty: the end. */
static struct span next_template(const char **list)
{
	const char *at = *list;
	const char *comma = at ? strchr(at, ',') : NULL;

	if (!at)
		return (struct span){"", 0};
	*list = comma ? comma + 1 : NULL;
	return span_trim((struct span){at, comma ? (size_t)(comma - at) : strlen(at)});
}

/* The doubt about a segment that is neither {name} nor the last *; NULL if there is none. */
static const char *doubt_segment(struct span s)
{
	if (s.len > 1 && s.ptr[0] == ':')
		return "it matches only paths with this \":\"; a parameter is {name}";
	if (s.len > 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
		return "it matches only paths with these \"<\" and \">\"; a parameter is {name}";
	if (memchr(s.ptr, '*', s.len))
		return "it matches only paths with this \"*\"; as a pattern, \"*\" is the whole "
		       "last segment";
	if (memchr(s.ptr, '^', s.len) || memchr(s.ptr, '$', s.len) || memchr(s.ptr, '(', s.len) ||
	    memchr(s.ptr, '[', s.len))
		return "it is no regular expression; a parameter is {name}, and a last * matches "
		       "the rest";
	return NULL;
}

static const char *doubt_spelling(struct span template)
{
	const char *why = NULL;

	while (template.len > 0 && !why) {
		struct span rest = span_from(template, 1);
		const char *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
		struct span segment = {rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};

		template = span_from(rest, segment.len);
		if (segment.len > 0 && segment.ptr[0] != '{' && !span_is(segment, "*"))
			why = doubt_segment(segment);
	}
	return why;
}

static bool ends_in_star(const struct route_pattern *p)
{
	return p->len >= 2 && p->match[p->len - 1] == '*' && p->match[p->len - 2] == '/';
}

/* True if a matches each path that b matches. A parameter in b is any segment for a. */
static bool covers(const struct route_pattern *a, const struct route_pattern *b)
{
	if (ends_in_star(b) && !ends_in_star(a))
		return false;
	return route_pattern_matches(a, (struct span){b->match, b->len});
}

static bool is_covered(const char *templates, struct span template)
{
	struct route_pattern pattern;
	struct route_pattern before;

	if (route_pattern_parse(&pattern, template))
		return false;
	while (templates) {
		struct span earlier = next_template(&templates);

		if (earlier.ptr == template.ptr)
			return false;
		if (!route_pattern_parse(&before, earlier) && covers(&before, &pattern))
			return true;
	}
	return false;
}

void route_doubts(const char *templates, route_doubt_fn fn)
{
	const char *rest = templates;

	while (rest) {
		struct span template = next_template(&rest);
		const char *why = doubt_spelling(template);

		if (!why && is_covered(templates, template))
			why = "an earlier template matches all that it could";
		if (why)
			fn(template, why);
	}
}
