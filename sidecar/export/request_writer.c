/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_writer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "export/csv.h"
#include "export/har.h"
#include "export/pick_table.h"
#include "export/request_table.h"
#include "export/xlsx.h"

struct request_writer {
	FILE *out;
	enum request_format format;
	bool has_begun;
	int error; /* first failure, negative errno */
	struct text buf; /* reused */
	struct request_table table;
	struct pick_table pick_table; /* without picks: unused */
	struct request_picks columns; /* of CSV and workbooks */
	struct xlsx *xlsx; /* NULL: another format */
};

bool request_format_has_end(enum request_format format)
{
	return format == FORMAT_JSON || format == FORMAT_XLSX || format == FORMAT_HAR;
}

struct request_writer *request_writer_new(FILE *out, enum request_format format, bool has_both_ends)
{
	struct request_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->out = out;
	w->format = format;
	text_init(&w->buf);
	request_table_init(&w->table, has_both_ends);
	request_picks_all(&w->columns, false);
	if (format == FORMAT_XLSX) {
		w->xlsx = xlsx_new(out, XLSX_ROWS_MAX, &w->columns);
		if (!w->xlsx)
			goto fail;
	}
	return w;

fail:
	request_writer_free(w);
	return NULL;
}

void request_writer_free(struct request_writer *w)
{
	if (!w)
		return;
	xlsx_free(w->xlsx);
	request_table_release(&w->table);
	text_release(&w->buf);
	free(w);
}

void request_writer_show(struct request_writer *w, bool has_stages, bool has_threads)
{
	request_table_show(&w->table, has_stages, has_threads);
}

void request_writer_show_headers(struct request_writer *w)
{
	w->table.shows_headers = true;
	if (!w->pick_table.picks)
		request_picks_all(&w->columns, true);
}

void request_writer_pick(struct request_writer *w, const struct request_picks *picks)
{
	w->pick_table.picks = picks;
	w->columns = *picks;
}

void request_writer_fit(struct request_writer *w, size_t max_columns, bool has_colors)
{
	request_table_fit(&w->table, max_columns);
	w->pick_table.max_columns = max_columns;
	w->table.has_colors = has_colors;
}

static void fail(struct request_writer *w, int error)
{
	if (!w->error)
		w->error = error;
}

static void flush_buf(struct request_writer *w)
{
	if (w->buf.has_failed)
		fail(w, -ENOMEM);
	else if (!w->error && fwrite(w->buf.ptr, 1, w->buf.len, w->out) != w->buf.len)
		fail(w, -errno);
	text_clear(&w->buf);
}

/* What stands before the first request, and before each other one. */
static void begin(struct request_writer *w)
{
	if (w->format == FORMAT_JSON)
		text_add(&w->buf, w->has_begun ? ",\n" : "[\n");
	else if (w->format == FORMAT_CSV && !w->has_begun)
		csv_add_names(&w->buf, &w->columns);
	else if (w->format == FORMAT_HAR && !w->has_begun)
		har_add_begin(&w->buf);
	else if (w->format == FORMAT_HAR)
		text_add(&w->buf, ",\n");
	w->has_begun = true;
}

static bool is_json(const struct request_writer *w)
{
	return w->format == FORMAT_NDJSON || w->format == FORMAT_JSON;
}

static void add_request(struct request_writer *w, const cJSON *request)
{
	if (is_json(w))
		request_picks_add_json(&w->buf, w->pick_table.picks, request);
	else if (w->format == FORMAT_TABLE && w->pick_table.picks)
		pick_table_add(&w->pick_table, &w->buf, request);
	else if (w->format == FORMAT_TABLE)
		request_table_add(&w->table, &w->buf, request);
	else if (w->format == FORMAT_CSV)
		csv_add_request(&w->buf, &w->columns, request);
	else if (w->format == FORMAT_HAR)
		har_add_request(&w->buf, request);
	else
		fail(w, xlsx_add_request(w->xlsx, request));
}

int request_writer_add(struct request_writer *w, struct span line)
{
	cJSON *request;

	if (is_json(w) && !w->pick_table.picks) {
		begin(w);
		text_add_span(&w->buf, line);
		if (w->format == FORMAT_NDJSON)
			text_add_char(&w->buf, '\n');
		flush_buf(w);
		return w->error;
	}
	request = cJSON_ParseWithLength(line.ptr, line.len);
	if (!cJSON_IsObject(request)) {
		cJSON_Delete(request);
		return -EBADMSG;
	}
	begin(w);
	add_request(w, request);
	if (w->format == FORMAT_NDJSON)
		text_add_char(&w->buf, '\n');
	cJSON_Delete(request);
	flush_buf(w);
	return w->error;
}

int request_writer_flush(struct request_writer *w)
{
	if (fflush(w->out) != 0)
		fail(w, -errno);
	return w->error;
}

int request_writer_error(const struct request_writer *w)
{
	return w->error;
}

int request_writer_finish(struct request_writer *w)
{
	bool is_empty = !w->has_begun;

	if (is_empty && (w->format == FORMAT_CSV || w->format == FORMAT_HAR))
		begin(w);
	if (w->format == FORMAT_JSON)
		text_add(&w->buf, is_empty ? "[]\n" : "\n]\n");
	else if (w->format == FORMAT_HAR)
		har_add_end(&w->buf);
	flush_buf(w);
	/* Of a workbook that is full, all but the last request is there. */
	if (w->xlsx && (!w->error || w->error == -EFBIG))
		fail(w, xlsx_finish(w->xlsx));
	return request_writer_flush(w);
}
