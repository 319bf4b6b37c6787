/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions as text, one line each, in the order in which they end.
 *
 * Table: for people. Columns grow with what they hold, the target comes last.
 *
 *     TIME (UTC)          CLIENT           SERVER        METHOD STATUS  DURATION ...
 *     15:04:05.123456  10.0.0.1:41000  10.0.0.2:80   GET       200  1.204 ms ...
 *
 * NDJSON, and the same objects in one JSON array: transaction_text.h lists the fields.
 */
#ifndef SIDELIGHT_EXPORT_LINES_H
#define SIDELIGHT_EXPORT_LINES_H

#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "txn/transaction.h"

enum lines_format { LINES_TABLE, LINES_NDJSON, LINES_JSON };

struct lines;

/*
 * Writes to out (borrowed). clock_offset_ns: what to add to a transaction's
 * times to get nanoseconds since 1970; 0 for capture files. NULL: no memory.
 */
struct lines *lines_new(FILE *out, enum lines_format format, int64_t clock_offset_ns);
/* From now on targets are written with their query strings, which may hold secrets. */
void lines_show_query(struct lines *l);
/*
 * From now on a table's lines are at most max_columns long; 0: as long as they need to be. The
 * columns about parts of a request are left out for that, then those about its ends.
 */
void lines_fit(struct lines *l, size_t max_columns);
/* Accepts NULL. */
void lines_free(struct lines *l);

/* ctx is the struct lines. */
extern const struct txn_sink lines_sink;

/* Negative errno of the first thing that failed; else 0. */
int lines_error(const struct lines *l);

/* Ends the output and flushes it. 0, or negative errno of the first thing that failed. */
int lines_finish(struct lines *l);

#endif
