/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

/* RFC 9110 section 5.6.2. */
#define TOKEN_CHARS                                                                                \
	"!#$%&'*+-.^_`|~0123456789"                                                                \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_token(const char *name)
{
	return name[strspn(name, TOKEN_CHARS)] == '\0';
}

/* Those that say how the body is to be read. */
static bool is_ours(const char *name, bool has_token)
{
	static const char *const ours[] = {"content-type", "content-encoding", "content-length",
					   "transfer-encoding", "expect"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return has_token && strcasecmp(name, "authorization") == 0;
}

/* NULL: no memory. libcurl removes a field that has nothing behind the colon, and sends an empty
 * one for a semicolon. */
static char *make_line(const struct pair *header)
{
	size_t size = strlen(header->key) + strlen(header->value) + 3;
	char *line = malloc(size);

	if (line && *header->value)
		(void)snprintf(line, size, "%s: %s", header->key, header->value); /* it fits */
	else if (line)
		(void)snprintf(line, size, "%s;", header->key);
	return line;
}

bool otlp_fields_init(struct otlp_fields *f, const struct pairs *headers, bool has_token)
{
	f->count = 0;
	f->lines = calloc(headers->count + 1, sizeof(f->lines[0]));
	if (!f->lines)
		return false;
	for (size_t i = 0; i < headers->count; i++) {
		const char *name = headers->list[i].key;
		const char *why = !is_token(name)	     ? "it is no name of a header field"
				  : is_ours(name, has_token) ? "sidelight sets it"
							     : NULL;

		if (why) {
			log_warn("otlp: the header \"%s\" is not sent: %s", name, why);
			continue;
		}
		f->lines[f->count] = make_line(&headers->list[i]);
		if (!f->lines[f->count++])
			return false;
	}
	return true;
}

void otlp_fields_release(struct otlp_fields *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->lines[i])
			explicit_bzero(f->lines[i], strlen(f->lines[i]));
		free(f->lines[i]);
	}
	free(f->lines);
	*f = (struct otlp_fields){0};
}
