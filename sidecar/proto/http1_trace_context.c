/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_trace_context.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trimmed(struct span s)
{
	while (s.len && is_space(s.ptr[0]))
		s = span_from(s, 1);
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/*
 * Fields behind so many bytes are not seen: a stranger may send thousands of lines, and each costs
 * more here than in the parser.
 */
#define B3_FIELDS_MAX 4096

/* X-B3-Sampled and X-B3-Flags count only beside the identifiers, so the parser passes over them. */
static void add_b3_fields(struct trace_reader *r, struct span fields)
{
	const char *lf;

	if (fields.len > B3_FIELDS_MAX)
		fields.len = B3_FIELDS_MAX;
	for (; (lf = memchr(fields.ptr, '\n', fields.len));
	     fields = span_from(fields, (size_t)(lf + 1 - fields.ptr))) {
		struct span line = {fields.ptr, (size_t)(lf - fields.ptr)};
		enum trace_field field = TRACE_FIELD_NONE;
		const char *colon;

		if (line.len < 4 || (line.ptr[0] | 0x20) != 'x' || line.ptr[3] != '3')
			continue;
		colon = memchr(line.ptr, ':', line.len);
		if (colon)
			field = trace_field_find(
				(struct span){line.ptr, (size_t)(colon - line.ptr)});
		if (field >= TRACE_FIELD_B3_TRACE_ID)
			trace_reader_add(r, field,
					 trimmed(span_from(line, (size_t)(colon - line.ptr) + 1)));
	}
}

bool http1_trace_context(const struct message *m, struct trace_context *ret)
{
	struct trace_reader r;

	trace_reader_init(&r);
	if (m->traceparent.ptr) {
		trace_reader_add(&r, TRACE_FIELD_TRACEPARENT, m->traceparent);
		if (trace_reader_end(&r, ret))
			return true;
	}
	if (m->b3.ptr)
		trace_reader_add(&r, TRACE_FIELD_B3, m->b3);
	if (m->has_b3_fields)
		add_b3_fields(&r, m->fields);
	return trace_reader_end(&r, ret);
}
