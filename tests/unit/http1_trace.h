/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of the parser's sink as text, one line per call:
 *
 *     > GET /x 1.1 host=a ua=b type=c expect cut fields=12
 *     < 200 1.1
 *     end 5
 *     fail lost head
 */
#ifndef SIDELIGHT_TESTS_UNIT_HTTP1_TRACE_H
#define SIDELIGHT_TESTS_UNIT_HTTP1_TRACE_H

#include "base/text.h"
#include "proto/http1.h"

struct http1_trace {
	struct text text;
	enum http1_body answer; /* to every response */
	bool wants_times; /* append @time_ns */
	bool wants_fields; /* append the field lines' length */
	struct http1 *tunnel; /* begin a tunnel here, inside head() */
	int open; /* heads without end */
	uint64_t body_bytes; /* of all messages that ended */
	size_t first_fail; /* text up to and with the first failure; 0 without one */
	bool is_wrong; /* the calls did not pair */
};

static inline void trace_span(struct http1_trace *t, const char *name, struct span s)
{
	if (s.len > 0)
		text_addf(&t->text, " %s=%.*s", name, SPAN_ARG(s));
}

static inline enum http1_body trace_head(void *ctx, const struct message *m)
{
	struct http1_trace *t = ctx;
	const char *version = m->version == HTTP_1_0 ? "1.0" : "1.1";

	t->is_wrong |= t->open != 0;
	t->open = 1;
	if (m->is_response) {
		text_addf(&t->text, "< %u %s", m->status, version);
	} else {
		text_add(&t->text, "> ");
		text_add_span(&t->text, m->method);
		text_add_char(&t->text, ' ');
		text_add_span(&t->text, m->target);
		text_addf(&t->text, " %s", version);
	}
	trace_span(t, "host", m->host);
	trace_span(t, "ua", m->user_agent);
	trace_span(t, "type", m->content_type);
	text_add(&t->text, m->expects_continue ? " expect" : "");
	text_add(&t->text, m->is_truncated ? " cut" : "");
	if (t->wants_fields)
		text_addf(&t->text, " fields=%zu", m->fields.len);
	if (t->wants_times)
		text_addf(&t->text, " @%llu", (unsigned long long)m->time_ns);
	text_add_char(&t->text, '\n');
	if (t->tunnel) {
		http1_tunnel(t->tunnel);
		t->open = 0;
	}
	if (t->answer == HTTP1_BODY_TUNNEL && m->is_response) {
		t->open = 0;
		return HTTP1_BODY_TUNNEL;
	}
	return m->is_response ? t->answer : HTTP1_BODY_FRAMED;
}

static inline void trace_end(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns)
{
	struct http1_trace *t = ctx;

	(void)is_response;
	t->is_wrong |= t->open != 1;
	t->open = 0;
	t->body_bytes += body_bytes;
	text_addf(&t->text, "end %llu", (unsigned long long)body_bytes);
	if (t->wants_times)
		text_addf(&t->text, " @%llu", (unsigned long long)time_ns);
	text_add_char(&t->text, '\n');
}

static inline void trace_fail(void *ctx, bool is_response, enum parse_fail why, bool has_head)
{
	static const char *const names[PARSE_FAIL_MAX] = {"start-line", "field", "length",
							  "chunk",	"lost",	 "head-too-large"};
	struct http1_trace *t = ctx;

	(void)is_response;
	if (why == PARSE_FAIL_HEAD_TOO_LARGE) {
		text_add(&t->text, "over the limit\n");
		return;
	}
	t->is_wrong |= t->open != (has_head ? 1 : 0);
	t->open = 0;
	text_addf(&t->text, "fail %s%s\n", names[why], has_head ? " head" : "");
	if (t->first_fail == 0)
		t->first_fail = t->text.len;
}

static const struct http1_sink trace_sink = {
	.head = trace_head, .end = trace_end, .fail = trace_fail};

#endif
