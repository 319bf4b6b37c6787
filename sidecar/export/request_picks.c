/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_picks.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/word_list.h"

#define REQUEST_PREFIX	"header:"
#define RESPONSE_PREFIX "response-header:"

/* Characters of a column with values of one header field. */
#define HEADER_WIDTH 24

static const struct request_field *find_field(struct span name)
{
	for (size_t i = 0; i < request_field_count_all; i++)
		if (span_is(name, request_fields[i].name))
			return &request_fields[i];
	return NULL;
}

/* Characters of a name (RFC 9110 section 5.6.2), but for *, and the colon of pseudo-headers. */
static bool is_name(struct span s)
{
	static const char others[] = "!#$%&'+-.^_`|~:";

	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) &&
		    !memchr(others, s.ptr[i], sizeof(others) - 1))
			return false;
	return s.len;
}

static bool parse_one(struct request_pick *pick, struct span word)
{
	bool is_request = span_starts(word, REQUEST_PREFIX);

	*pick = (struct request_pick){.name = word};
	if (is_request || span_starts(word, RESPONSE_PREFIX)) {
		pick->is_response = !is_request;
		pick->header =
			span_from(word, strlen(is_request ? REQUEST_PREFIX : RESPONSE_PREFIX));
		return is_name(pick->header);
	}
	pick->field = find_field(word);
	return pick->field;
}

static void add_known(struct text *error)
{
	for (size_t i = 0; i < request_field_count_all; i++)
		text_addf(error, "%s, ", request_fields[i].name);
	text_add(error, REQUEST_PREFIX "NAME and " RESPONSE_PREFIX "NAME");
}

int request_picks_parse(struct request_picks *p, const char *list, struct text *error)
{
	struct span word;

	p->count = 0;
	while (word_list_next(&list, &word)) {
		if (p->count == REQUEST_PICKS_MAX) {
			text_addf(error, "more than %d fields", REQUEST_PICKS_MAX);
			return -EINVAL;
		}
		if (!parse_one(&p->pick[p->count], word)) {
			text_addf(error, "there is no field \"%.*s\"; there are ", SPAN_ARG(word));
			add_known(error);
			return -EINVAL;
		}
		p->count++;
	}
	return 0;
}

void request_picks_all(struct request_picks *p, bool has_headers)
{
	p->count = has_headers ? request_field_count_all : request_field_count;
	for (size_t i = 0; i < p->count; i++)
		p->pick[i] = (struct request_pick){.name = span_of(request_fields[i].name),
						   .field = &request_fields[i]};
}

void request_picks_header_names(const struct request_picks *p, struct text *list)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->pick[i].field)
			continue;
		text_add(list, list->len ? "," : "");
		text_add_span(list, p->pick[i].header);
	}
}

enum request_field_kind request_pick_kind(const struct request_pick *pick)
{
	return pick->field ? pick->field->kind : FIELD_TEXT;
}

struct span request_pick_heading(const struct request_pick *pick)
{
	return pick->field ? span_of(pick->field->heading) : pick->name;
}

unsigned request_pick_of(const struct request_pick *pick)
{
	return pick->field ? pick->field->of : REQUEST_ANY;
}

unsigned request_pick_width(const struct request_pick *pick)
{
	return pick->field ? pick->field->width : HEADER_WIDTH;
}

/* The values of one header field in a member; returns whether there are any. */
static bool add_values(struct text *out, const cJSON *request, const char *member,
		       struct span header)
{
	const cJSON *field;
	bool is_found = false;

	cJSON_ArrayForEach(field, request_member(request, member))
	{
		const char *name = request_string(field, "name");

		if (strlen(name) != header.len || strncasecmp(name, header.ptr, header.len) != 0)
			continue;
		text_add(out, is_found ? ", " : "");
		text_add(out, request_string(field, "value"));
		is_found = true;
	}
	return is_found;
}

/* Returns whether there is such a field. */
static bool add_header(struct text *out, const struct request_pick *pick, const cJSON *request)
{
	bool is_response = pick->is_response;

	/* A name is in the trailers if it is not in the head. */
	return add_values(out, request, is_response ? "response_headers" : "request_headers",
			  pick->header) ||
	       add_values(out, request, is_response ? "response_trailers" : "request_trailers",
			  pick->header);
}

static void add_all(struct text *out, const cJSON *fields)
{
	const char *separator = "";
	const cJSON *field;

	cJSON_ArrayForEach(field, fields)
	{
		text_add(out, separator);
		text_add(out, request_string(field, "name"));
		text_add(out, ": ");
		text_add(out, request_string(field, "value"));
		separator = " | ";
	}
}

void request_pick_add_text(struct text *out, const struct request_pick *pick, const cJSON *request)
{
	if (!pick->field)
		(void)add_header(out, pick, request); /* nothing is the text of none */
	else if (pick->field->kind == FIELD_HEADERS)
		add_all(out, request_member(request, pick->field->name));
	else
		text_add(out, request_string(request, pick->field->name));
}

static void add_item(struct text *out, const cJSON *item)
{
	char *json = item ? cJSON_PrintUnformatted(item) : NULL;

	text_add(out, json ? json : "null");
	out->has_failed |= item && !json;
	cJSON_free(json);
}

static void add_header_item(struct text *out, const struct request_pick *pick, const cJSON *request)
{
	struct text value;
	cJSON *item = NULL;

	text_init(&value);
	if (add_header(&value, pick, request)) {
		item = cJSON_CreateString(value.ptr);
		out->has_failed |= !item || value.has_failed;
	}
	add_item(out, item);
	cJSON_Delete(item);
	text_release(&value);
}

void request_picks_add_json(struct text *out, const struct request_picks *p, const cJSON *request)
{
	text_add_char(out, '{');
	for (size_t i = 0; i < p->count; i++) {
		const struct request_pick *pick = &p->pick[i];

		text_addf(out, "%s\"%.*s\":", i ? "," : "", SPAN_ARG(pick->name));
		if (pick->field)
			add_item(out, request_member(request, pick->field->name));
		else
			add_header_item(out, pick, request);
	}
	text_add_char(out, '}');
}
