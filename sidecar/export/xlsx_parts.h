/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a workbook that are not rows: what its sheets begin and end with, and what names
 * them and says how cells look. */
#ifndef SIDELIGHT_EXPORT_XLSX_PARTS_H
#define SIDELIGHT_EXPORT_XLSX_PARTS_H

#include <stddef.h>

#include "base/text.h"
#include "export/request_picks.h"
#include "export/zip.h"

/* Sheets of a workbook. */
#define XLSX_PARTS_MAX 64
#define XLSX_NAME_SIZE 40

struct xlsx_part {
	unsigned of; /* REQUEST_HTTP, REQUEST_GRPC */
	unsigned number; /* 1, 2, ... of its kind */
	struct zip_entry entry; /* when it has ended: its sizes */
};

/* In the order of the table of styles. */
enum xlsx_style {
	XLSX_STYLE_NONE,
	XLSX_STYLE_HEADING,
	XLSX_STYLE_TIME,
	XLSX_STYLE_MS,
	XLSX_STYLE_NUMBER,
};

/* The name of the part at this position. */
void xlsx_part_name(char name[XLSX_NAME_SIZE], size_t position);

/* of: REQUEST_HTTP or REQUEST_GRPC; picks: the columns. */
void xlsx_add_sheet_begin(struct text *xml, unsigned of, const struct request_picks *picks);
void xlsx_add_sheet_end(struct text *xml);

/* Adds all that is not a sheet to the archive. 0, or negative errno. */
int xlsx_add_parts(struct zip *z, const struct xlsx_part *parts, size_t count);

#endif
