/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as a workbook of Office Open XML (ECMA-376): the sheet HTTP and the sheet gRPC, each
 * with a row of headings that stays in view, and typed cells: dates, numbers, truth values, text.
 * Text is never a formula. A sheet that is full goes on as "HTTP 2", and so on.
 *
 * In constant memory, and to a pipe if need be: rows are deflated as they come. Those of HTTP go
 * straight to the output; those of gRPC, which have to come behind them, wait in a temporary file
 * without a name, deflated (in memory where there is no place for files).
 *
 * No library makes it: Debian's libxlsxwriter does not see that its temporary files could not be
 * written, and needs OpenSSL.
 */
#ifndef SIDELIGHT_EXPORT_XLSX_H
#define SIDELIGHT_EXPORT_XLSX_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

#include "export/request_picks.h"

/* Of a sheet, with its headings: more are not opened. */
#define XLSX_ROWS_MAX 1048576u
/* Characters of a cell. */
#define XLSX_TEXT_MAX 32767u

struct xlsx;

/*
 * rows_max: of a sheet, from 2 to XLSX_ROWS_MAX. picks: the columns; borrowed, as is out. NULL: no
 * memory.
 */
struct xlsx *xlsx_new(FILE *out, uint32_t rows_max, const struct request_picks *picks);
/* Accepts NULL. */
void xlsx_free(struct xlsx *x);

/*
 * Both return 0 or negative errno. -EFBIG: the workbook is full, at 4 GiB or 64 sheets;
 * xlsx_finish() makes one of what was added before.
 */
int xlsx_add_request(struct xlsx *x, const cJSON *request);
int xlsx_finish(struct xlsx *x);

#endif
