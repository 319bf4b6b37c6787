/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The webhook's HTTP. The input is what a client sends; the byte 0xff begins a command:
 *
 *     | a segment ends here   . queued output is sent    ! memory runs short    0xff itself
 *
 * It holds that
 *   - cutting it otherwise gives the same answers, as long as memory does not run short, but for
 *     100 (Continue), which is sent if nothing of the body has come yet;
 *   - an answer starts with a status line, and the last of a connection says so;
 *   - what a request holds is accounted, below the budget, and not more than there came in;
 *   - nothing is left of it at the end.
 */
#include <string.h>

#include "fuzz.h"
#include "webhook/budget.h"
#include "webhook/http_exchange.h"

#define BODY_MAX   4096
#define DATE_BYTES 37 /* "\r\nDate: Sun, 29 Nov 2026 01:56:01 GMT" */

struct run {
	struct http_exchange e;
	struct text out; /* all that was sent, without dates and 100 (Continue) */
	size_t fed;
	bool was_short;
};

static unsigned refuse(void *ctx, const struct http_request *r)
{
	(void)ctx;
	return strcmp(r->method, "PUT") == 0 ? 405 : 0;
}

static void repeat(void *ctx, const struct http_request *r, struct http_answer *a)
{
	(void)ctx;
	fuzz_check(r->body.len <= BODY_MAX);
	if (!a->status) {
		fuzz_check(r->path[0] == '/' && r->method[0]);
		a->status = 200;
	}
	text_addf(&a->body, "%u %s %s %s ", a->status, r->method, r->path, r->content_type);
	if (a->status == 200)
		text_add_span(&a->body, r->body);
}

static const struct http_options options = {
	.share = BUDGET_REQUESTS, .body_max = BODY_MAX, .refuse = refuse, .answer = repeat};

static void log_final(struct run *r, struct span sent)
{
	const char *date;

	/* It changes while this runs. */
	while (sent.len > 0 && (date = memmem(sent.ptr, sent.len, "\r\nDate: ", 8))) {
		size_t at = (size_t)(date - sent.ptr);

		text_add_span(&r->out, (struct span){sent.ptr, at});
		/* A body may have these words too, and end behind them. */
		sent = span_from(sent, sent.len - at > DATE_BYTES ? at + DATE_BYTES : sent.len);
	}
	text_add_span(&r->out, sent);
}

static void log_sent(struct run *r, struct span sent)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const char *at;

	while (sent.len > 0 && (at = memmem(sent.ptr, sent.len, interim, sizeof(interim) - 1))) {
		log_final(r, (struct span){sent.ptr, (size_t)(at - sent.ptr)});
		sent = span_from(sent, (size_t)(at - sent.ptr) + sizeof(interim) - 1);
	}
	log_final(r, sent);
}

static void send_all(struct run *r)
{
	struct span out = http_exchange_out(&r->e);

	fuzz_check(out.len == 0 || r->e.out_at > 0 || span_starts(out, "HTTP/1.1 "));
	log_sent(r, out);
	http_exchange_sent(&r->e, out.len);
}

static void check(const struct run *r)
{
	fuzz_check(r->e.held == r->e.in.alloc + r->e.out.alloc);
	fuzz_check(budget_used(BUDGET_REQUESTS) >= r->e.held);
	fuzz_check(r->e.in.len <= r->fed && r->e.in.alloc <= 2 * r->fed + 2048);
	fuzz_check(r->e.state != HTTP_CLOSED || r->e.in.len == 0);
}

static void feed(struct run *r, const char *ptr, size_t n)
{
	bool has_more = true;

	r->fed += n;
	if (http_exchange_add(&r->e, (struct span){ptr, n})) {
		fuzz_check(r->was_short);
		http_exchange_refuse(&r->e, 503);
	}
	for (bool may_be_large = false; has_more; may_be_large = !may_be_large) {
		has_more = http_exchange_run(&r->e, may_be_large);
		send_all(r);
		check(r);
	}
}

/* Follows the commands; false as soon as one is about memory. */
static bool play(struct run *r, const char *ptr, size_t n, bool is_bytewise)
{
	size_t other = 0;
	char segment[256];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_command = ptr[i] == '\xff' && i + 1 < n;
		char c = ptr[i];

		if (is_command) {
			c = ptr[++i];
			if (c == '!') {
				r->was_short = true;
				(void)budget_hold(BUDGET_REQUESTS, &other,
						  BUDGET_REQUESTS_BYTES - 2048);
				continue;
			}
		}
		if (!is_command || c == '\xff')
			segment[len++] = c;
		if (len == sizeof(segment) || (is_command && c == '|') || (is_bytewise && len)) {
			feed(r, segment, len);
			len = 0;
		}
	}
	feed(r, segment, len);
	(void)budget_hold(BUDGET_REQUESTS, &other, 0);
	return !r->was_short;
}

static void begin(struct run *r)
{
	*r = (struct run){0};
	text_init(&r->out);
	http_exchange_init(&r->e, &options);
}

static void finish(struct run *r)
{
	http_exchange_release(&r->e);
	text_release(&r->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run segments;
	struct run bytewise;

	begin(&segments);
	begin(&bytewise);
	if (play(&segments, (const char *)data, size, false)) {
		(void)play(&bytewise, (const char *)data, size, true);
		fuzz_check(span_eq(text_span(&segments.out), text_span(&bytewise.out)));
		fuzz_check(segments.e.state == bytewise.e.state);
	}
	finish(&segments);
	finish(&bytewise);
	fuzz_check(budget_used(BUDGET_REQUESTS) == 0);
	return 0;
}
