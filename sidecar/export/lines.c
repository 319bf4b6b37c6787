/* SPDX-License-Identifier: Apache-2.0 */
#include "export/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "export/transaction_text.h"
#include "proto/grpc.h"

enum column {
	COLUMN_TIME,
	COLUMN_CLIENT,
	COLUMN_SERVER,
	COLUMN_METHOD,
	COLUMN_STATUS,
	COLUMN_DURATION,
	COLUMN_FIRST_BYTE,
	COLUMN_REQUEST,
	COLUMN_RESPONSE,
	COLUMN_ERROR,
	COLUMN_TARGET,
	COLUMN_MAX,
};

static const struct {
	const char *title;
	bool is_right;
	size_t width; /* of what is usual */
} columns[COLUMN_MAX] = {
	[COLUMN_TIME] = {"TIME (UTC)", false, 15},	[COLUMN_CLIENT] = {"CLIENT", false, 15},
	[COLUMN_SERVER] = {"SERVER", false, 12},	[COLUMN_METHOD] = {"METHOD", false, 6},
	[COLUMN_STATUS] = {"STATUS", true, 6},		[COLUMN_DURATION] = {"DURATION", true, 10},
	[COLUMN_FIRST_BYTE] = {"FIRST-BYTE", true, 10}, [COLUMN_REQUEST] = {"REQ-BODY", true, 8},
	[COLUMN_RESPONSE] = {"RESP-BODY", true, 9},	[COLUMN_ERROR] = {"ERROR", false, 5},
	[COLUMN_TARGET] = {"TARGET", false, 0},
};

#define TARGET_MIN 16 /* columns, in a narrow terminal */

struct lines {
	FILE *out;
	enum lines_format format;
	struct transaction_text how;
	int error; /* first failure, negative errno */
	bool has_begun;
	size_t max_columns; /* 0: no limit */
	bool is_left_out[COLUMN_MAX];
	size_t width[COLUMN_MAX];
	struct text line; /* reused */
	struct text cell; /* reused */
};

void lines_show_query(struct lines *l)
{
	l->how.has_query = true;
}

void lines_fit(struct lines *l, size_t max_columns)
{
	static const enum column expendable[] = {COLUMN_FIRST_BYTE, COLUMN_REQUEST, COLUMN_RESPONSE,
						 COLUMN_SERVER, COLUMN_CLIENT};
	size_t sum = TARGET_MIN;

	if (max_columns > 0 && max_columns < TARGET_MIN)
		max_columns = TARGET_MIN; /* an ellipsis has room */
	l->max_columns = max_columns;
	for (int i = 0; i < COLUMN_TARGET; i++)
		sum += columns[i].width + 2;
	for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
		if (max_columns == 0 || sum <= max_columns)
			return;
		l->is_left_out[expendable[i]] = true;
		sum -= columns[expendable[i]].width + 2;
	}
}

int lines_error(const struct lines *l)
{
	return l->error;
}

static void add_ms(struct text *t, uint64_t from_ns, uint64_t to_ns)
{
	text_addf(t, "%.3f ms", (double)(to_ns - from_ns) / 1e6);
}

static void fail(struct lines *l, int error)
{
	if (!l->error)
		l->error = error;
}

static void write_line(struct lines *l)
{
	if (l->line.has_failed || l->cell.has_failed)
		fail(l, -ENOMEM);
	else if (!l->error && fwrite(l->line.ptr, 1, l->line.len, l->out) != l->line.len)
		fail(l, -errno);
}

/* Moves the content of l->cell to the line. */
static void add_cell(struct lines *l, enum column i)
{
	size_t width = l->cell.len > l->width[i] ? l->cell.len : l->width[i];
	int pad = (int)(width - l->cell.len);

	if (l->is_left_out[i]) {
		text_clear(&l->cell);
		return;
	}
	l->width[i] = width;
	if (i)
		text_add(&l->line, "  ");
	if (i == COLUMN_TARGET)
		text_add_span(&l->line, text_span(&l->cell));
	else if (columns[i].is_right)
		text_addf(&l->line, "%*s%s", pad, "", l->cell.ptr);
	else
		text_addf(&l->line, "%s%*s", l->cell.ptr, pad, "");
	text_clear(&l->cell);
}

/* The table's line that began at `start` of l->line, cut if it is too long. */
static void end_line(struct lines *l, size_t start)
{
	if (l->max_columns && l->line.len - start > l->max_columns) {
		text_truncate(&l->line, start + l->max_columns - 3);
		text_add(&l->line, "...");
	}
	text_add_char(&l->line, '\n');
}

static void add_titles(struct lines *l)
{
	for (int i = 0; i < COLUMN_MAX; i++) {
		text_add(&l->cell, columns[i].title);
		add_cell(l, i);
	}
	end_line(l, 0);
}

static void add_status(struct text *cell, const struct transaction *t)
{
	char digits[GRPC_STATUS_SIZE];

	if (t->protocol == TXN_GRPC)
		text_add(cell, grpc_status_name(t->grpc.status, digits));
	else if (t->http.status == TXN_STATUS_UNKNOWN)
		text_add(cell, txn_unknown);
	else if (t->http.status)
		text_addf(cell, "%u", t->http.status);
}

static void add_value(struct lines *l, const struct transaction *t, enum column i)
{
	bool is_server = t->role == ROLE_SERVER;
	struct text *cell = &l->cell;
	unsigned nsec;
	struct tm tm;

	switch (i) {
	case COLUMN_TIME:
		nsec = transaction_text_time(t->start_ns, &l->how, &tm);
		text_addf(cell, "%02d:%02d:%02d.%06u", tm.tm_hour, tm.tm_min, tm.tm_sec,
			  nsec / 1000);
		break;
	case COLUMN_CLIENT:
		transaction_text_endpoint(cell, is_server ? t->remote : t->local);
		break;
	case COLUMN_SERVER:
		transaction_text_endpoint(cell, is_server ? t->local : t->remote);
		break;
	case COLUMN_METHOD:
		transaction_text_escape(cell, txn_method(t));
		break;
	case COLUMN_STATUS:
		add_status(cell, t);
		break;
	case COLUMN_DURATION:
		add_ms(cell, t->start_ns, t->end_ns);
		break;
	case COLUMN_FIRST_BYTE:
		if (t->first_byte_ns)
			add_ms(cell, t->start_ns, t->first_byte_ns);
		break;
	case COLUMN_REQUEST:
		text_addf(cell, "%" PRIu64, t->request_bytes);
		break;
	case COLUMN_RESPONSE:
		text_addf(cell, "%" PRIu64, t->response_bytes);
		break;
	case COLUMN_ERROR:
		text_add(cell, txn_error_name(t->error));
		break;
	case COLUMN_TARGET:
		transaction_text_escape(cell, transaction_text_target(t, &l->how));
		break;
	case COLUMN_MAX:
		break;
	}
	if (cell->len == 0)
		text_add_char(cell, '-');
}

static void add_row(struct lines *l, const struct transaction *t)
{
	size_t start = l->line.len;

	for (int i = 0; i < COLUMN_MAX; i++) {
		add_value(l, t, i);
		add_cell(l, i);
	}
	end_line(l, start);
}

static void add_json(struct lines *l, const struct transaction *t)
{
	transaction_text_json(&l->line, t, &l->how);
	text_add_char(&l->line, '}');
}

static void lines_done(void *ctx, const struct transaction *t)
{
	struct lines *l = ctx;

	text_clear(&l->line);
	text_clear(&l->cell);
	if (l->format == LINES_TABLE) {
		if (!l->has_begun)
			add_titles(l);
		add_row(l, t);
	} else if (l->format == LINES_NDJSON) {
		add_json(l, t);
		text_add_char(&l->line, '\n');
	} else {
		text_add(&l->line, l->has_begun ? ",\n" : "[\n");
		add_json(l, t);
	}
	l->has_begun = true;
	write_line(l);
}

const struct txn_sink lines_sink = {.needs = TXN_NEED_TARGET, .done = lines_done};

int lines_finish(struct lines *l)
{
	if (l->format == LINES_JSON) {
		text_clear(&l->line);
		text_add(&l->line, l->has_begun ? "\n]\n" : "[]\n");
		write_line(l);
	}
	if (fflush(l->out) != 0)
		fail(l, -errno);
	return l->error;
}

struct lines *lines_new(FILE *out, enum lines_format format, int64_t clock_offset_ns)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->out = out;
	l->format = format;
	l->how.offset_ns = clock_offset_ns;
	text_init(&l->line);
	text_init(&l->cell);
	for (int i = 0; i < COLUMN_MAX; i++)
		l->width[i] = columns[i].width;
	return l;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	text_release(&l->line);
	text_release(&l->cell);
	free(l);
}
