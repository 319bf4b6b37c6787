/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_cells.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "export/table.h"

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

const char *top_cell_string(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

double top_cell_number(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsNumber(item) && item->valuedouble >= 0 ? item->valuedouble : -1;
}

bool top_cell_is_client(const cJSON *o)
{
	return strcmp(top_cell_string(o, "role"), "client") == 0;
}

void top_cell_put(struct grid_row *row, int column, double key, const char *fmt, ...)
{
	va_list ap;

	row->key[column] = key;
	va_start(ap, fmt);
	(void)vsnprintf(row->cell[column], GRID_CELL, fmt, ap); /* cut if longer */
	va_end(ap);
}

void top_cell_put_time(struct grid_row *row, int column, double ns)
{
	struct text t;

	if (ns < 0)
		return;
	text_init(&t);
	table_add_duration(&t, ns < 9e18 ? (uint64_t)ns : UINT64_MAX);
	top_cell_put(row, column, ns, "%s", t.ptr);
	text_release(&t);
}

void top_cell_put_bytes(struct grid_row *row, int column, double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", NULL};
	double value = bytes;
	int unit = 0;

	if (bytes < 0)
		return;
	for (; value >= 999.5 && units[unit + 1]; unit++)
		value /= 1000;
	top_cell_put(row, column, bytes, "%.*f %s", unit && value < 9.95 ? 1 : 0, value,
		     units[unit]);
}
