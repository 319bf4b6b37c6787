/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and columns for a screen of any width: sorted, filtered, one row selected. It knows no
 * terminal, and its text is printable ASCII whatever was put in.
 *
 *     METHOD  ROUTE             RATE/S  ERRORS      P50     P99*
 *     GET     /users/{id}       6097.6       0   120 us  1.21 ms
 *   > POST    /orders              3.0       1   1.2 ms  48.1 ms
 *
 * The name is one of the columns, and gets the width that the others leave. Where it would be less
 * than GRID_NAME_MIN, other columns are left out, and so are columns without any text.
 */
#ifndef SIDELIGHT_CMD_GRID_H
#define SIDELIGHT_CMD_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define GRID_COLUMNS  16
#define GRID_CELL     40
#define GRID_NAME     240
#define GRID_NAME_MIN 16
#define GRID_FILTER   64

struct grid_column {
	const char *title;
	uint8_t rank; /* the highest is left out first; 0: it stays */
	bool is_right;
	bool is_name;
	bool is_ascending; /* sorted by it, the smallest comes first */
	bool is_fixed; /* nothing is sorted by it */
};

struct grid_row {
	uint64_t id; /* never 0 */
	bool is_bad; /* to be shown as one that has errors */
	double key[GRID_COLUMNS]; /* that columns but the name are sorted by */
	char cell[GRID_COLUMNS][GRID_CELL];
	char name[GRID_NAME];
	char whole[GRID_NAME]; /* the owner's: what the row is of */
	char part[GRID_CELL]; /* likewise */
};

struct grid {
	const struct grid_column *columns; /* borrowed */
	int column_count;
	int sort; /* index of the column */
	bool is_reversed;
	char filter[GRID_FILTER]; /* a part of the text of rows; case does not count */
	struct grid_row *rows; /* owned */
	size_t count;
	size_t alloc;
	struct grid_row **shown; /* owned: those that match, in their order */
	size_t shown_count;
	size_t selected; /* index in shown; 0 if there is none */
	uint64_t selected_id; /* of the row there; 0: none was selected, or the first one */
	size_t top; /* first line that is on the screen */
	int width[GRID_COLUMNS]; /* valid after grid_fit(); 0: left out */
	bool is_fitted;
};

/* columns: at most GRID_COLUMNS, borrowed. */
void grid_init(struct grid *g, const struct grid_column *columns, int count, int sort);
void grid_release(struct grid *g);

/* Removes all rows; what is selected stays known for grid_arrange(). */
void grid_clear(struct grid *g);
/* A new row, zeroed; NULL: no memory. The rows are in no order until grid_arrange(). */
struct grid_row *grid_add(struct grid *g);
/* The oldest of the rows goes. */
void grid_drop_oldest(struct grid *g);

/* Copies text for a cell or name of `size` bytes: printable, and cut with "...". */
void grid_copy(char *to, size_t size, const char *text);

/* Filters and sorts. The selection follows its row, or stays on the first line. */
void grid_arrange(struct grid *g);
/* NULL: no row is shown. */
const struct grid_row *grid_selected(const struct grid *g);
/* Moves the selection by so many rows, as far as there are any. */
void grid_move(struct grid *g, long by);
/* Sorts by the next column to the right, or to the left. */
void grid_sort_next(struct grid *g, int by);
void grid_reverse(struct grid *g);

/* Chooses columns for a screen so wide, and rows for one that shows `lines` of them. */
void grid_fit(struct grid *g, size_t width, size_t lines);
/* After grid_fit(). Appends the titles, or a row, without a line end; at most width bytes. */
void grid_add_titles(const struct grid *g, struct text *out, size_t width);
void grid_add_row(const struct grid *g, struct text *out, const struct grid_row *row, size_t width);

#endif
