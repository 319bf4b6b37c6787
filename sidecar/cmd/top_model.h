/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sidelight top` shows, and what each key does to it; without a terminal, and without a
 * connection to the sidecar.
 *
 *     rows of a view --- Enter ---> requests of one row --- Enter ---> its header fields
 *           ^                            |    ^                            |
 *           '----------- Escape ---------'    '---------- Escape ----------'
 *
 * Over either there may be help, or a filter that is being typed. While it is paused, nothing that
 * comes changes what is shown.
 */
#ifndef SIDELIGHT_CMD_TOP_MODEL_H
#define SIDELIGHT_CMD_TOP_MODEL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "cmd/grid.h"
#include "cmd/top_headers.h"
#include "cmd/top_rows.h"

/* Keys that are no characters. */
enum top_key {
	TOP_KEY_UP = 0x100,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_BACKSPACE,
};

/* What the owner has to do after a key: bits. */
enum top_wish {
	TOP_QUIT = 1,
	TOP_ASK_WINDOWS = 2, /* anew: top_model_windows_path() */
	TOP_ASK_REQUESTS = 4, /* anew: top_model_requests_path() */
	TOP_END_REQUESTS = 8, /* nobody looks at them any more */
};

struct top_model {
	enum top_view view;
	enum top_sort sort; /* of a view that is shown for the first time */
	struct process_names names;
	struct grid rows;
	struct grid requests;
	struct grid_row chosen; /* whose requests are shown */
	bool is_drilled; /* requests are shown, or the header fields of one */
	bool is_detailed; /* header fields are */
	struct top_headers headers; /* of requests */
	struct grid_row request; /* whose fields are shown */
	bool is_paused;
	bool is_typing; /* the filter */
	bool has_help;
	bool has_window; /* at least one came since the view was chosen */
	double rate; /* of all rows, as the next four; of the last window */
	double errors;
	double requests_open;
	double connections_open;
	double left_out; /* of those, connections without a row */
	char refusal[120]; /* why there are no requests; "": there is nothing to say */
	uint64_t request_count; /* lines that came, of the chosen row */
	uint64_t lost; /* requests that came too fast, likewise */
};

void top_model_init(struct top_model *m, enum top_view view, enum top_sort sort);
void top_model_release(struct top_model *m);

/* The grid that is shown. */
struct grid *top_model_grid(struct top_model *m);

/* page: lines that rows have on the screen. Returns bits of enum top_wish. */
unsigned top_model_key(struct top_model *m, int key, size_t page);

/* The question that the view needs, and that of the chosen row. */
void top_model_windows_path(const struct top_model *m, struct text *path);
void top_model_requests_path(const struct top_model *m, struct text *path);

/* Lines of the answers. Each returns false if that is no such line. */
bool top_model_window(struct top_model *m, struct span line);
bool top_model_request(struct top_model *m, struct span line);
/* There is no answer about requests, because of this. */
void top_model_refuse(struct top_model *m, const char *why);

#endif
