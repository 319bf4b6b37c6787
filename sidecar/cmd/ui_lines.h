/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last lines that a sidecar has written, for pages that are opened later.
 *
 * Invariants:
 *   - the lines first, first + 1, ... next - 1 are kept, line n in slot n % capacity;
 *   - they are at most capacity lines and max_bytes bytes, unless there is a single one.
 */
#ifndef SIDELIGHT_CMD_UI_LINES_H
#define SIDELIGHT_CMD_UI_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

struct ui_lines {
	struct text *slot;
	size_t capacity;
	size_t max_bytes;
	size_t bytes;
	uint64_t first;
	uint64_t next;
	uint64_t lost; /* for want of memory, or of room in max_bytes */
};

/* Returns 0 or -ENOMEM. */
int ui_lines_init(struct ui_lines *l, size_t capacity, size_t max_bytes);
/* Accepts one that is zeroed. */
void ui_lines_release(struct ui_lines *l);

/* Adds a line without its end; the oldest ones make room. */
void ui_lines_add(struct ui_lines *l, struct span line);

/*
 * Appends, as NDJSON, {"first":0,"next":2,"end":7,"lost":0} and the lines from `first` to before
 * `next`: the kept ones from number `from` on, as many as fit an answer. More follow from `next`
 * on, up to before `end`.
 */
void ui_lines_write(const struct ui_lines *l, struct text *out, uint64_t from);

#endif
