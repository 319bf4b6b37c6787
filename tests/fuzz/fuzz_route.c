/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes. The first line of the input is the user's list of templates, the other lines are
 * targets. It holds that
 *   - malformed templates give an error;
 *   - a target has one route, whichever way it is found, and no query changes it;
 *   - automatic routes are short and consist of visible ASCII characters, without query;
 *   - there are no more of them than the cap.
 */
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "../unit/route_served.h"

#define CAP 4

static void check_automatic(struct span target)
{
	char buf[512];
	size_t n = route_template(target, buf, sizeof(buf));

	fuzz_check(n <= sizeof(buf));
	for (size_t i = 0; i < n; i++)
		fuzz_check(buf[i] > ' ' && buf[i] < 0x7f && !strchr("?#;\"\\", buf[i]));
}

static const char *check_target(struct served *r, struct span target)
{
	const char *route = served_find(r, ROLE_SERVER, target);
	struct text longer;

	fuzz_check(route && *route);
	fuzz_check(served_find(r, ROLE_SERVER, target) == route);
	check_automatic(target);
	if (strcmp(route, "*") == 0 || target.len == 0)
		return route;
	text_init(&longer);
	text_add_span(&longer, target);
	text_add(&longer, "?a=/b");
	fuzz_check(served_find(r, ROLE_SERVER, text_span(&longer)) == route);
	text_release(&longer);
	return route;
}

static struct span next_line(struct span *rest)
{
	const char *lf = memchr(rest->ptr, '\n', rest->len);
	struct span line = {rest->ptr, lf ? (size_t)(lf - rest->ptr) : rest->len};

	*rest = span_from(*rest, line.len + (lf != NULL));
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	struct span first = next_line(&rest);
	char *templates = strndup(first.ptr, first.len);
	const char *error = NULL;
	const char *found[CAP + 1] = {NULL};
	size_t count = 0;
	struct served r;

	fuzz_check(templates != NULL);
	r = served_new(templates, CAP, &error);
	if (!r.routes) {
		fuzz_check(error && *error);
		served_free(&r);
		r = served_new(NULL, CAP, &error);
		*templates = '\0';
	}
	fuzz_check(r.routes != NULL);
	while (rest.len > 0) {
		const char *route = check_target(&r, next_line(&rest));
		size_t i = 0;

		/* Without templates, all that begins with a slash is automatic. */
		if (*templates || *route != '/')
			continue;
		while (i < count && found[i] != route)
			i++;
		if (i == count)
			found[count++] = route;
		fuzz_check(count <= CAP);
	}
	served_free(&r);
	free(templates);
	return 0;
}
