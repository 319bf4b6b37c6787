/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as CSV of RFC 4180: a line of names, then a line a request, with the chosen
 * fields (request_picks.h). What is not known is empty.
 *
 * Text that a spreadsheet might take for a formula (it begins with = + - @) has an apostrophe
 * before it. Bytes outside of printable ASCII are `\xNN`, so that there are no NULs, line ends or
 * broken UTF-8 in a field.
 */
#ifndef SIDELIGHT_EXPORT_CSV_H
#define SIDELIGHT_EXPORT_CSV_H

#include <cjson/cJSON.h>

#include "base/text.h"
#include "export/request_picks.h"

void csv_add_names(struct text *out, const struct request_picks *picks);
void csv_add_request(struct text *out, const struct request_picks *picks, const cJSON *request);

#endif
