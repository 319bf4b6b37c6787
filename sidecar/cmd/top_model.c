/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_model.h"

#include <string.h>

#include "cmd/control_client.h"
#include "cmd/top_connections.h"

void top_model_init(struct top_model *m, enum top_view view, enum top_sort sort)
{
	*m = (struct top_model){.view = view, .sort = sort};
	top_rows_init(&m->rows, m->view, sort);
	top_rows_init_requests(&m->requests);
	top_headers_init(&m->headers);
}

void top_model_release(struct top_model *m)
{
	grid_release(&m->rows);
	grid_release(&m->requests);
	top_headers_release(&m->headers);
}

struct grid *top_model_grid(struct top_model *m)
{
	if (m->is_detailed)
		return &m->headers.fields;
	return m->is_drilled ? &m->requests : &m->rows;
}

/* --- keys ---------------------------------------------------------------------------- */

static unsigned leave_requests(struct top_model *m)
{
	if (!m->is_drilled)
		return 0;
	m->is_drilled = m->is_detailed = false;
	return TOP_END_REQUESTS;
}

static unsigned enter_headers(struct top_model *m)
{
	const struct grid_row *row = grid_selected(&m->requests);

	if (m->is_detailed || !row)
		return 0;
	m->request = *row;
	m->is_detailed = true;
	top_headers_choose(&m->headers, row->id);
	return 0;
}

static unsigned enter_requests(struct top_model *m)
{
	const struct grid_row *row = grid_selected(&m->rows);

	if (m->is_drilled)
		return enter_headers(m);
	if (!row)
		return 0;
	m->chosen = *row;
	m->is_drilled = true;
	m->is_paused = false;
	m->request_count = m->lost = 0;
	m->refusal[0] = '\0';
	grid_release(&m->requests);
	top_rows_init_requests(&m->requests);
	return TOP_ASK_REQUESTS;
}

static unsigned choose_view(struct top_model *m, enum top_view view)
{
	unsigned wish = leave_requests(m);

	if (view == m->view)
		return wish;
	m->view = view;
	m->has_window = false;
	m->is_paused = false;
	grid_release(&m->rows);
	top_rows_init(&m->rows, view, m->sort);
	return wish | TOP_ASK_WINDOWS;
}

/* The recorder still has the requests that came in the meantime. */
static unsigned resume_requests(struct top_model *m)
{
	m->request_count = m->lost = 0;
	grid_clear(&m->requests);
	grid_arrange(&m->requests);
	return TOP_ASK_REQUESTS;
}

static unsigned toggle_pause(struct top_model *m)
{
	m->is_paused = !m->is_paused;
	return m->is_drilled && !m->is_paused ? resume_requests(m) : 0;
}

static void type(struct top_model *m, int key)
{
	struct grid *g = top_model_grid(m);
	size_t len = strlen(g->filter);

	if (key == TOP_KEY_ENTER) {
		m->is_typing = false;
	} else if (key == TOP_KEY_ESCAPE) {
		m->is_typing = false;
		g->filter[0] = '\0';
	} else if (key == TOP_KEY_BACKSPACE && len) {
		g->filter[len - 1] = '\0';
	} else if (key >= ' ' && key <= '~' && len + 1 < sizeof(g->filter)) {
		g->filter[len] = (char)key;
		g->filter[len + 1] = '\0';
	}
	grid_arrange(g);
}

/* Goes back by one step; on the first page it ends the filter. */
static unsigned escape(struct top_model *m)
{
	struct grid *g = top_model_grid(m);

	if (*g->filter) {
		g->filter[0] = '\0';
		grid_arrange(g);
		return 0;
	}
	if (m->is_detailed) {
		m->is_detailed = false;
		return 0;
	}
	return leave_requests(m);
}

static bool move(struct grid *g, int key, size_t page)
{
	static const struct {
		int key;
		int rows;
		int pages;
	} moves[] = {{TOP_KEY_UP, -1, 0},	  {'k', -1, 0},
		     {TOP_KEY_DOWN, 1, 0},	  {'j', 1, 0},
		     {TOP_KEY_PAGE_UP, 0, -1},	  {TOP_KEY_PAGE_DOWN, 0, 1},
		     {TOP_KEY_HOME, -1000000, 0}, {'g', -1000000, 0},
		     {TOP_KEY_END, 1000000, 0},	  {'G', 1000000, 0}};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (moves[i].key != key)
			continue;
		grid_move(g, moves[i].rows + moves[i].pages * (long)page);
		return true;
	}
	return false;
}

static unsigned command(struct top_model *m, int key)
{
	struct grid *g = top_model_grid(m);

	switch (key) {
	case 'q':
		return TOP_QUIT;
	case 'h':
	case '?':
		m->has_help = true;
		return 0;
	case '/':
		m->is_typing = true;
		return 0;
	case ' ':
	case 'p':
		return toggle_pause(m);
	case '<':
	case TOP_KEY_LEFT:
		grid_sort_next(g, -1);
		return 0;
	case '>':
	case 's':
	case TOP_KEY_RIGHT:
		grid_sort_next(g, 1);
		return 0;
	case 'r':
		grid_reverse(g);
		return 0;
	case 'v':
	case '\t':
		return choose_view(m, (enum top_view)((m->view + 1) % TOP_VIEWS));
	case TOP_KEY_ENTER:
		return enter_requests(m);
	case TOP_KEY_ESCAPE:
	case TOP_KEY_BACKSPACE:
		return escape(m);
	default:
		if (key >= '1' && key < '1' + TOP_VIEWS)
			return choose_view(m, (enum top_view)(key - '1'));
		return 0;
	}
}

unsigned top_model_key(struct top_model *m, int key, size_t page)
{
	if (m->is_typing) {
		type(m, key);
		return 0;
	}
	if (m->has_help) {
		m->has_help = false; /* any key */
		return key == 'q' ? TOP_QUIT : 0;
	}
	if (move(top_model_grid(m), key, page))
		return 0;
	return command(m, key);
}

/* --- questions and answers ----------------------------------------------------------- */

void top_model_windows_path(const struct top_model *m, struct text *path)
{
	text_add(path, m->view == TOP_CONNECTIONS ? "/connections" : "/routes");
	control_parameter(path, "follow", "1");
	if (m->view == TOP_CONNECTIONS)
		return;
	control_parameter(path, "for", "1s");
	control_parameter(path, "by", top_rows_by(m->view));
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

void top_model_requests_path(const struct top_model *m, struct text *path)
{
	text_add(path, "/requests");
	control_parameter(path, "past", "1");
	control_parameter(path, "follow", "1");
	control_parameter(path, top_rows_parameter(m->view), or_null(m->chosen.whole));
	control_parameter(path, "method", or_null(m->chosen.part));
	control_parameter(path, "try-headers", "all");
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool add_connections(struct top_model *m, const cJSON *line)
{
	if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(line, "connections")))
		return false;
	m->has_window = true;
	m->connections_open = number_of(line, "connections_open");
	m->left_out = number_of(line, "left_out");
	top_connections_fill(&m->rows, line);
	return true;
}

bool top_model_window(struct top_model *m, struct span line)
{
	cJSON *window;
	const cJSON *routes;
	const cJSON *row;
	bool is_window;

	if (m->is_paused && m->has_window)
		return true;
	window = cJSON_ParseWithLength(line.ptr, line.len);
	routes = cJSON_GetObjectItemCaseSensitive(window, "routes");
	is_window = cJSON_IsArray(routes);
	if (m->view == TOP_CONNECTIONS) {
		is_window = add_connections(m, window);
	} else if (is_window) {
		double seconds = number_of(window, "seconds");

		m->has_window = true;
		m->rate = seconds > 0 ? number_of(window, "requests") / seconds : 0;
		m->requests_open = number_of(window, "requests_open");
		m->connections_open = number_of(window, "connections_open");
		m->errors = 0;
		cJSON_ArrayForEach(row, routes) m->errors += number_of(row, "errors");
		top_rows_window(&m->rows, m->view, window, &m->names);
	}
	cJSON_Delete(window);
	return is_window;
}

bool top_model_request(struct top_model *m, struct span line)
{
	cJSON *request;
	bool is_request;

	if (m->is_paused || !m->is_drilled)
		return true;
	request = cJSON_ParseWithLength(line.ptr, line.len);
	is_request = cJSON_IsObject(request);
	if (cJSON_HasObjectItem(request, "lost")) {
		m->lost += (uint64_t)number_of(request, "lost");
	} else if (is_request) {
		top_rows_request(&m->requests, request, ++m->request_count);
		top_headers_keep(&m->headers, m->request_count, line);
	}
	cJSON_Delete(request);
	return is_request;
}

void top_model_refuse(struct top_model *m, const char *why)
{
	grid_copy(m->refusal, sizeof(m->refusal), *why ? why : "the sidecar does not answer");
}
