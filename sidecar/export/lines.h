/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions in one of the formats of request_writer.h, in the order in which they end. Tables
 * name both ends; the lines have the fields of transaction_text.h.
 */
#ifndef SIDELIGHT_EXPORT_LINES_H
#define SIDELIGHT_EXPORT_LINES_H

#include <stdint.h>
#include <stdio.h>

#include "export/request_writer.h"
#include "txn/transaction.h"

struct lines;

/*
 * Writes to out (borrowed). clock_offset_ns: what to add to a transaction's
 * times to get nanoseconds since 1970; 0 for capture files. NULL: no memory.
 */
struct lines *lines_new(FILE *out, enum request_format format, int64_t clock_offset_ns);
/* From now on targets are written with their query strings, which may hold secrets. */
void lines_show_query(struct lines *l);
/* From now on requests are written with these header fields (borrowed): see struct header_wish. */
void lines_show_headers(struct lines *l, const char *names);
/* See request_writer_pick(). */
void lines_pick(struct lines *l, const struct request_picks *picks);
/* See request_writer_fit(). */
void lines_fit(struct lines *l, size_t max_columns, bool has_colors);
/* Accepts NULL. */
void lines_free(struct lines *l);

/* ctx is the struct lines. */
extern const struct txn_sink lines_sink;

/* Negative errno of the first thing that failed; else 0. */
int lines_error(const struct lines *l);

/* Ends the output and flushes it. 0, or negative errno of the first thing that failed. */
int lines_finish(struct lines *l);

#endif
