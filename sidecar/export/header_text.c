/* SPDX-License-Identifier: Apache-2.0 */
#include "export/header_text.h"

#include <string.h>

#include "export/json.h"

const char *header_text_member(enum header_section section)
{
	static const char *const names[HEADER_SECTIONS] = {
		[HEADERS_REQUEST] = "request_headers",
		[HEADERS_RESPONSE] = "response_headers",
		[HEADERS_REQUEST_TRAILERS] = "request_trailers",
		[HEADERS_RESPONSE_TRAILERS] = "response_trailers",
	};

	return names[section];
}

static struct span without_query(struct span path)
{
	const char *query = path.len ? memchr(path.ptr, '?', path.len) : NULL;

	return query ? (struct span){path.ptr, (size_t)(query - path.ptr)} : path;
}

static void add_section(struct text *out, const struct headers *h, enum header_section section,
			const char *names, bool has_query)
{
	const char *separator = "";
	struct header_field f;

	text_addf(out, ",\"%s\":", header_text_member(section));
	if (!h || !(h->sections >> section & 1)) {
		text_add(out, "null");
		return;
	}
	text_add_char(out, '[');
	for (size_t at = 0; headers_next(h, &at, &f);) {
		if (f.section != section || !header_wish_has(names, f.name))
			continue;
		if (!has_query && span_is(f.name, ":path"))
			f.value = without_query(f.value);
		text_addf(out, "%s{\"name\":", separator);
		json_string(out, f.name);
		text_add(out, ",\"value\":");
		json_string(out, f.value);
		text_add_char(out, '}');
		separator = ",";
	}
	text_add_char(out, ']');
}

void header_text_json(struct text *out, const struct headers *h, const char *names, bool has_query)
{
	for (int i = 0; i < HEADER_SECTIONS; i++)
		add_section(out, h, (enum header_section)i, names, has_query);
	json_number(out, "weight", h ? h->weight : 0, h && h->weight);
	json_bool(out, "headers_cut", h && h->is_cut);
}
