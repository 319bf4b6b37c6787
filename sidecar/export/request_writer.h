/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in one of the formats that there are, from their lines of NDJSON (transaction_text.h,
 * record_line.h), one after another and in constant memory.
 *
 *     table   for people                      request_table.h
 *     ndjson  the lines as they are
 *     json    the same objects in one array
 *     csv     RFC 4180                        csv.h
 *     xlsx    a workbook                      xlsx.h
 *     har     HTTP Archive 1.2                har.h
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_WRITER_H
#define SIDELIGHT_EXPORT_REQUEST_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/span.h"
#include "export/request_picks.h"

/* In the order of the words of the option --format. */
enum request_format {
	FORMAT_TABLE,
	FORMAT_NDJSON,
	FORMAT_JSON,
	FORMAT_CSV,
	FORMAT_XLSX,
	FORMAT_HAR,
};

/* What has this format is only valid with its end: request_writer_finish(). */
bool request_format_has_end(enum request_format format);

struct request_writer;

/*
 * Writes to out (borrowed). has_both_ends: a table names client and server, not the peer. NULL: no
 * memory.
 */
struct request_writer *request_writer_new(FILE *out, enum request_format format,
					  bool has_both_ends);
/* Accepts NULL. */
void request_writer_free(struct request_writer *w);

/*
 * To be called first: a table has columns of the stages (txn/stages.h) in place of the first byte,
 * and one of the process and thread.
 */
void request_writer_show(struct request_writer *w, bool has_stages, bool has_threads);

/*
 * To be called first: only these fields are written, in this order; borrowed. Not for HAR, whose
 * members are its own.
 */
void request_writer_pick(struct request_writer *w, const struct request_picks *picks);

/* To be called first: header fields are shown, of lines that have them (header_text.h). */
void request_writer_show_headers(struct request_writer *w);

/* From now on a table's lines are at most max_columns long (0: any), and may have colors. */
void request_writer_fit(struct request_writer *w, size_t max_columns, bool has_colors);

/*
 * Adds the request of a line without its line end. Returns 0, -EBADMSG if that is no request, and
 * nothing was written, or the first error of the output, negative.
 */
int request_writer_add(struct request_writer *w, struct span line);

/* What was added goes to whoever reads the output, as far as its format allows. */
int request_writer_flush(struct request_writer *w);

/* Negative errno of the first thing that failed; else 0. */
int request_writer_error(const struct request_writer *w);

/* Ends the output and flushes it. 0, or negative errno of the first thing that failed. */
int request_writer_finish(struct request_writer *w);

#endif
