/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_page.h"

/* The bar, the line of the filter and the titles are above the rows, the help line is below. */
#define ABOVE 3
#define BELOW 1

struct page {
	size_t width;
	size_t height;
	size_t y;
	void (*line)(void *ctx, size_t y, enum top_style style, struct span text);
	void *ctx;
	struct text text;
};

size_t top_page_rows(size_t height)
{
	return height > ABOVE + BELOW ? height - ABOVE - BELOW : 0;
}

/* Hands the text over, cut, and begins the next line. */
static void end_line(struct page *p, enum top_style style)
{
	struct span text = text_span(&p->text);

	if (text.len > p->width)
		text.len = p->width;
	if (p->y < p->height)
		p->line(p->ctx, p->y++, style, text);
	text_clear(&p->text);
}

static void add_bar(struct page *p, const struct top_model *m)
{
	text_addf(&p->text, "  sidelight top   %s   ", top_rows_title(m->view));
	if (m->is_paused)
		text_add(&p->text, "[paused]  ");
	if (m->has_window && m->view == TOP_CONNECTIONS) {
		text_addf(&p->text, "%.0f open", m->connections_open);
		if (m->left_out > 0)
			text_addf(&p->text, "  %.0f left out", m->left_out);
	} else if (m->has_window) {
		text_addf(&p->text, "%.1f/s  %.0f error%s  %.0f open  %.0f connection%s", m->rate,
			  m->errors, m->errors == 1 ? "" : "s", m->requests_open,
			  m->connections_open, m->connections_open == 1 ? "" : "s");
	}
	end_line(p, TOP_BAR);
}

/* The filter, and whose requests they are. */
static void add_subject(struct page *p, struct top_model *m)
{
	const struct grid *g = top_model_grid(m);

	if (m->is_typing || *g->filter)
		text_addf(&p->text, "  filter: %s%s", g->filter, m->is_typing ? "_" : "");
	if (m->is_detailed)
		text_addf(&p->text, "  header fields of %s", m->request.name);
	else if (m->is_drilled)
		text_addf(&p->text, "  requests of %s%s%s", m->chosen.cell[0],
			  *m->chosen.cell[0] ? " " : "", m->chosen.name);
	if (m->is_drilled && m->lost)
		text_addf(&p->text, "  (%llu came too fast)", (unsigned long long)m->lost);
	end_line(p, TOP_PLAIN);
}

static const char *nothing(const struct top_model *m, const struct grid *g)
{
	if (g->count)
		return "nothing matches the filter";
	if (m->is_detailed)
		return "it has none that were captured: it began before somebody looked";
	if (m->is_drilled && *m->refusal)
		return m->refusal;
	if (m->is_drilled)
		return "no requests are recorded yet";
	if (m->view == TOP_CONNECTIONS)
		return m->has_window ? "no connection is open" : "asking the kernel ...";
	return m->has_window ? "no requests in the last second" : "counting for a second ...";
}

static void add_rows(struct page *p, struct top_model *m)
{
	struct grid *g = top_model_grid(m);
	size_t lines = top_page_rows(p->height);

	grid_fit(g, p->width, lines);
	if (g->shown_count)
		grid_add_titles(g, &p->text, p->width);
	end_line(p, TOP_TITLES);
	if (!g->shown_count) {
		text_addf(&p->text, "  %s", nothing(m, g));
		end_line(p, TOP_PLAIN);
	}
	for (size_t i = 0; i < lines && g->top + i < g->shown_count; i++) {
		const struct grid_row *row = g->shown[g->top + i];

		grid_add_row(g, &p->text, row, p->width);
		end_line(p, row == grid_selected(g) ? TOP_SELECTED
			    : row->is_bad	    ? TOP_BAD
						    : TOP_PLAIN);
	}
}

static void add_help(struct page *p)
{
	static const char *const lines[] = {
		"",
		"  Up Down PgUp PgDn Home End   select (also k j g G)",
		"  Left Right < >               sort by another column; the one with the * is it",
		"  r                            sort the other way round",
		"  /                            only rows with this text; Escape: all again",
		"  Enter                        the requests of a row, the newest first; then the",
		"                               header fields of a request",
		"  Escape                       back",
		"  1 2 3 4 5, v or Tab          by route, peer, process, thread, connection",
		"  space, p                     pause, and go on",
		"  q                            quit",
		"",
		"  Numbers are those of the last second. OPEN: requests without a complete",
		"  response. IN and OUT: bytes of bodies. A name with > is what is asked.",
		"  RECEIVE, PROGRAM, SEND: time of the request's bytes, from its last byte to the",
		"  response's first byte, and of the response's bytes; P99 of each.",
		"  Connections: RTT is the smoothed round trip, RETRANS what this end sent again,",
		"  LIMITED the time that the peer's window kept it waiting, ZERO who closed it.",
		"",
		"  Any key goes back.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		text_add(&p->text, lines[i]);
		end_line(p, TOP_PLAIN);
	}
}

static void add_keys(struct page *p, const struct top_model *m)
{
	while (p->y + 1 < p->height)
		end_line(p, TOP_PLAIN);
	if (m->is_typing)
		text_add(&p->text, "  Enter keep the filter  Escape no filter");
	else if (m->is_detailed)
		text_add(&p->text, "  q quit  h help  Esc back  / filter");
	else if (m->is_drilled)
		text_add(&p->text, "  q quit  h help  Esc back  / filter  < > sort  Enter headers  "
				   "space pause");
	else
		text_add(&p->text, "  q quit  h help  / filter  < > sort  Enter requests  v view  "
				   "space pause");
	end_line(p, TOP_BAR);
}

void top_page(struct top_model *m, size_t width, size_t height,
	      void (*line)(void *ctx, size_t y, enum top_style style, struct span text), void *ctx)
{
	struct page p = {.width = width, .height = height, .line = line, .ctx = ctx};

	text_init(&p.text);
	add_bar(&p, m);
	if (m->has_help) {
		add_help(&p);
	} else {
		add_subject(&p, m);
		add_rows(&p, m);
	}
	add_keys(&p, m);
	text_release(&p.text);
}
