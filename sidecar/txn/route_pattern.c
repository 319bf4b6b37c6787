/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route_pattern.h"

/* The first segment of s, up to the next slash. */
static struct span segment_of(struct span s)
{
	const char *slash = s.len > 0 ? memchr(s.ptr, '/', s.len) : NULL;

	return (struct span){s.ptr, slash ? (size_t)(slash - s.ptr) : s.len};
}

static const char *check_parameter(struct span segment)
{
	if (segment.ptr[0] != '{' || segment.ptr[segment.len - 1] != '}')
		return "a route template's {name} must fill its segment";
	if (segment.len == 2)
		return "a route template's {name} must not be empty";
	if (memchr(segment.ptr + 1, '{', segment.len - 1) ||
	    memchr(segment.ptr, '}', segment.len - 1))
		return "a route template's {name} must fill its segment";
	return NULL;
}

const char *route_pattern_parse(struct route_pattern *p, struct span text)
{
	struct span rest = text;
	const char *error;

	*p = (struct route_pattern){0};
	if (text.len == 0 || text.ptr[0] != '/')
		return "a route template must begin with '/'";
	/* Encoding takes up to three characters for one. */
	if (text.len > ROUTE_PATH_MAX / 3)
		return "a route template is too long";
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f ||
		    strchr("?#\"\\", text.ptr[i]))
			return "a route template is a path: no space, query, quote or backslash";
	}
	while (rest.len > 0) {
		struct span segment = segment_of(span_from(rest, 1));

		rest = span_from(rest, segment.len + 1);
		p->match[p->len++] = '/';
		if (segment.len > 0 && (memchr(segment.ptr, '{', segment.len) ||
					memchr(segment.ptr, '}', segment.len))) {
			error = check_parameter(segment);
			if (error)
				return error;
			p->match[p->len++] = '{';
		} else if (span_is(segment, "*")) {
			if (rest.len > 0)
				return "a route template's '*' must be its last segment";
			p->match[p->len++] = '*';
		} else {
			p->len += route_path_normal(segment, p->match + p->len,
						    sizeof(p->match) - p->len);
		}
	}
	return NULL;
}

bool route_pattern_matches(const struct route_pattern *p, struct span path)
{
	struct span want = {p->match, p->len};

	while (want.len > 0 && path.len > 0) {
		struct span w = segment_of(span_from(want, 1));
		struct span s = segment_of(span_from(path, 1));

		if (span_is(w, "*") && w.len + 1 == want.len)
			return true;
		if (span_is(w, "{") ? s.len == 0 : !span_eq(w, s))
			return false;
		want = span_from(want, w.len + 1);
		path = span_from(path, s.len + 1);
	}
	return want.len == 0 && path.len == 0;
}
