/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_headers.h"

#include <stdlib.h>
#include <string.h>

#include "export/request_fields.h"

enum { OF, FIELD, VALUE, HEADER_COLUMNS };

static const struct grid_column columns[HEADER_COLUMNS] = {
	[OF] = {.title = "OF", .is_ascending = true},
	[FIELD] = {.title = "FIELD", .is_fixed = true},
	[VALUE] = {.title = "VALUE", .is_name = true, .is_ascending = true},
};

void top_headers_init(struct top_headers *h)
{
	*h = (struct top_headers){0};
	grid_init(&h->fields, columns, HEADER_COLUMNS, OF);
}

void top_headers_release(struct top_headers *h)
{
	for (size_t i = 0; i < TOP_REQUESTS_MAX; i++)
		free(h->line[i]);
	grid_release(&h->fields);
	*h = (struct top_headers){0};
}

void top_headers_keep(struct top_headers *h, uint64_t serial, struct span line)
{
	char **at = &h->line[serial % TOP_REQUESTS_MAX];

	free(*at);
	*at = strndup(line.ptr, line.len); /* NULL: its fields are not shown */
}

static void add_section(struct grid *g, const cJSON *request, const char *member, const char *of)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, request_member(request, member))
	{
		struct grid_row *row = grid_add(g);

		if (!row)
			return;
		row->id = g->count;
		row->key[OF] = (double)g->count; /* in the order of the wire */
		grid_copy(row->cell[OF], GRID_CELL, of);
		grid_copy(row->cell[FIELD], GRID_CELL, request_string(field, "name"));
		grid_copy(row->name, GRID_NAME, request_string(field, "value"));
	}
}

void top_headers_choose(struct top_headers *h, uint64_t serial)
{
	const char *line = h->line[serial % TOP_REQUESTS_MAX];
	cJSON *request = line ? cJSON_Parse(line) : NULL;
	struct grid *g = &h->fields;

	grid_release(g);
	grid_init(g, columns, HEADER_COLUMNS, OF);
	add_section(g, request, "request_headers", "request");
	add_section(g, request, "request_trailers", "request trailer");
	add_section(g, request, "response_headers", "response");
	add_section(g, request, "response_trailers", "response trailer");
	grid_arrange(g);
	cJSON_Delete(request);
}
