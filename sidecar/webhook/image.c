/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/image.h"

#include <string.h>

#include "base/span.h"
#include "webhook/cel.h"

#define DOCKER_HUB     "docker.io"
#define DOCKER_LIBRARY "library/"

struct reference {
	struct span registry;
	struct span path; /* without "library/" of Docker Hub */
	struct span digest; /* empty: none */
};

static bool is_registry(struct span component)
{
	for (size_t i = 0; i < component.len; i++)
		if (strchr(".:", component.ptr[i]) ||
		    (component.ptr[i] >= 'A' && component.ptr[i] <= 'Z'))
			return true;
	return span_is(component, "localhost");
}

/* Without the tag: a colon before the last slash is that of a registry's port. */
static struct span without_tag(struct span name)
{
	for (size_t i = name.len; i > 0 && name.ptr[i - 1] != '/'; i--)
		if (name.ptr[i - 1] == ':')
			return (struct span){name.ptr, i - 1};
	return name;
}

static struct reference read_reference(const char *image)
{
	size_t len = strcspn(image, "@");
	struct span path = without_tag((struct span){image, len});
	const char *slash = memchr(path.ptr, '/', path.len);
	struct reference ref = {.registry = span_of(DOCKER_HUB)};

	if (image[len])
		ref.digest = span_of(image + len + 1);
	if (slash && is_registry((struct span){path.ptr, (size_t)(slash - path.ptr)})) {
		ref.registry = (struct span){path.ptr, (size_t)(slash - path.ptr)};
		path = span_from(path, ref.registry.len + 1);
	}
	if (span_is(ref.registry, "index." DOCKER_HUB))
		ref.registry = span_of(DOCKER_HUB);
	slash = memchr(path.ptr, '/', path.len);
	if (span_is(ref.registry, DOCKER_HUB) && slash &&
	    span_is((struct span){path.ptr, (size_t)(slash - path.ptr) + 1}, DOCKER_LIBRARY) &&
	    !memchr(slash + 1, '/', path.len - strlen(DOCKER_LIBRARY)))
		path = span_from(path, strlen(DOCKER_LIBRARY));
	ref.path = path;
	return ref;
}

bool image_is_permitted(const char *image, const struct values *defaults)
{
	struct reference wanted = read_reference(defaults->of[PARAM_IMAGE]);
	struct reference got = read_reference(image);

	if (strcmp(defaults->of[PARAM_IMAGE_CHOICE], "any") == 0)
		return true;
	return span_eq(got.registry, wanted.registry) && span_eq(got.path, wanted.path) &&
	       (wanted.digest.len == 0 || span_eq(got.digest, wanted.digest));
}

/* Is there a registry in front of this path? */
#define HAS_REGISTRY ".matches(\"^([^/]*[.:A-Z][^/]*|localhost)/\")"

static const struct {
	const char *name;
	const char *expression;
} variables[] = {
	{"image_name", "variables.image_configured.split(\"@\")[0]"},
	{"image_repository",
	 "variables.image_name.lastIndexOf(\":\") > variables.image_name.lastIndexOf(\"/\")\n"
	 "      ? variables.image_name.substring(0, variables.image_name.lastIndexOf(\":\"))\n"
	 "      : variables.image_name"},
	{"image_on_hub", "variables.image_repository.matches(\"^(index[.])?docker[.]io/\") ||\n"
			 "      !variables.image_repository" HAS_REGISTRY},
	/* The path on Docker Hub; of any other registry, registry and path. */
	{"image_hub_path", "variables.image_repository.startsWith(\"index.docker.io/\") ?"
			   " variables.image_repository.substring(16) :\n"
			   "      variables.image_repository.startsWith(\"docker.io/\") ?"
			   " variables.image_repository.substring(10) :\n"
			   "      variables.image_repository"},
	{"image_path", "variables.image_on_hub &&"
		       " variables.image_hub_path.matches(\"^library/[^/]+$\")\n"
		       "      ? variables.image_hub_path.substring(8) : variables.image_hub_path"},
	{"image_pattern",
	 /* A path that begins like a registry would be one without Docker Hub's name. */
	 "\"^\" + (!variables.image_on_hub ? \"\" :\n"
	 "      variables.image_path" HAS_REGISTRY " ? \"(index[.])?docker[.]io/\" :\n"
	 "      \"((index[.])?docker[.]io/)?\") +\n"
	 "      (variables.image_on_hub && !variables.image_path.contains(\"/\")"
	 " ? \"(library/)?\" : \"\") +\n"
	 "      variables.image_path.split(\".\").join(\"[.]\") + \"(:" PARAMETER_IMAGE_TAG
	 ")?\" +\n"
	 "      (variables.image_configured.contains(\"@\")\n"
	 "      ? \"@\" + variables.image_configured.split(\"@\")[1] : \"(@" PARAMETER_IMAGE_DIGEST
	 ")?\") + \"$\""},
};

void image_write_variables(struct text *out)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		text_addf(out, "  - name: %s\n    expression: >-\n      %s\n", variables[i].name,
			  variables[i].expression);
}

void image_write_condition(struct text *out, const char *expression)
{
	text_addf(out, "(variables.image_choice == \"any\" || %s.matches(variables.image_pattern))",
		  expression);
}
