/* SPDX-License-Identifier: Apache-2.0 */
#include "export/lines.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "export/header_text.h"
#include "export/transaction_text.h"

struct lines {
	struct request_writer *writer;
	struct transaction_text how;
	const char *header_names; /* NULL: none are shown */
	bool has_no_memory;
	struct text line; /* reused */
};

void lines_show_query(struct lines *l)
{
	l->how.has_query = true;
}

void lines_show_headers(struct lines *l, const char *names)
{
	l->header_names = names;
	request_writer_show_headers(l->writer);
}

void lines_pick(struct lines *l, const struct request_picks *picks)
{
	request_writer_pick(l->writer, picks);
}

void lines_fit(struct lines *l, size_t max_columns, bool has_colors)
{
	request_writer_fit(l->writer, max_columns, has_colors);
}

int lines_error(const struct lines *l)
{
	return l->has_no_memory ? -ENOMEM : request_writer_error(l->writer);
}

static void lines_done(void *ctx, const struct transaction *t)
{
	struct lines *l = ctx;

	text_clear(&l->line);
	transaction_text_json(&l->line, t, &l->how);
	if (l->header_names)
		header_text_json(&l->line, t->headers, l->header_names, l->how.has_query);
	text_add_char(&l->line, '}');
	/* A line of ours is refused only if there is no memory to parse it; the writer keeps its
	 * other errors. */
	if (l->line.has_failed || request_writer_add(l->writer, text_span(&l->line)) == -EBADMSG)
		l->has_no_memory = true;
}

const struct txn_sink lines_sink = {.needs = TXN_NEED_TARGET | TXN_NEED_TRACE, .done = lines_done};

int lines_finish(struct lines *l)
{
	int err = request_writer_finish(l->writer);

	return l->has_no_memory ? -ENOMEM : err;
}

struct lines *lines_new(FILE *out, enum request_format format, int64_t clock_offset_ns)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->how.offset_ns = clock_offset_ns;
	text_init(&l->line);
	l->writer = request_writer_new(out, format, true);
	if (!l->writer)
		goto fail;
	return l;

fail:
	lines_free(l);
	return NULL;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	request_writer_free(l->writer);
	text_release(&l->line);
	free(l);
}
