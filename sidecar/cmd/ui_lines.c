/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui_lines.h"

#include <errno.h>
#include <stdlib.h>

/* Of an answer, unless a single line is longer. */
#define ANSWER_MAX (256u << 10)

int ui_lines_init(struct ui_lines *l, size_t capacity, size_t max_bytes)
{
	*l = (struct ui_lines){.capacity = capacity, .max_bytes = max_bytes};
	l->slot = calloc(capacity, sizeof(*l->slot));
	if (!l->slot)
		return -ENOMEM;
	for (size_t i = 0; i < capacity; i++)
		text_init(&l->slot[i]);
	return 0;
}

static struct text *line_of(const struct ui_lines *l, uint64_t number)
{
	return &l->slot[number % l->capacity];
}

static void forget_first(struct ui_lines *l)
{
	struct text *line = line_of(l, l->first++);

	l->bytes -= line->len;
	text_release(line);
}

void ui_lines_release(struct ui_lines *l)
{
	while (l->first < l->next)
		forget_first(l);
	free(l->slot);
	*l = (struct ui_lines){0};
}

void ui_lines_add(struct ui_lines *l, struct span line)
{
	struct text *to;

	if (l->next - l->first == l->capacity)
		forget_first(l);
	for (; l->first < l->next && l->bytes + line.len > l->max_bytes; l->lost++)
		forget_first(l);
	to = line_of(l, l->next);
	text_add_span(to, line);
	if (to->has_failed) {
		text_release(to);
		l->lost++;
		return;
	}
	l->bytes += line.len;
	l->next++;
}

void ui_lines_write(const struct ui_lines *l, struct text *out, uint64_t from)
{
	size_t len = 0;
	uint64_t next;

	if (from < l->first)
		from = l->first;
	if (from > l->next)
		from = l->next;
	for (next = from; next < l->next; next++) {
		len += line_of(l, next)->len;
		if (len > ANSWER_MAX && next > from)
			break;
	}
	text_addf(out, "{\"first\":%llu,\"next\":%llu,\"end\":%llu,\"lost\":%llu}\n",
		  (unsigned long long)from, (unsigned long long)next, (unsigned long long)l->next,
		  (unsigned long long)l->lost);
	for (; from < next; from++) {
		text_add_span(out, text_span(line_of(l, from)));
		text_add_char(out, '\n');
	}
}
