/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/http_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "webhook/budget.h"

enum {
	STATUS_BAD_REQUEST = 400,
	STATUS_SIZE = 413,
	STATUS_UNAVAILABLE = 503,
};

void http_exchange_init(struct http_exchange *e, const struct http_options *options)
{
	*e = (struct http_exchange){.options = options};
	text_init(&e->in);
	text_init(&e->out);
}

/* Shrinking always succeeds; growth was held before. */
static void account(struct http_exchange *e)
{
	(void)budget_hold(e->options->share, &e->held, e->in.alloc + e->out.alloc);
}

void http_exchange_release(struct http_exchange *e)
{
	text_release(&e->in);
	text_release(&e->out);
	account(e);
}

/*
 * Small requests double the buffer, large ones let it grow by a quarter, so that 3 MiB take
 * no 6, and somebody who only announces 3 MiB gets none.
 */
static size_t alloc_for(const struct text *in, size_t want)
{
	size_t step = in->alloc < (64u << 10) ? in->alloc : in->alloc / 4;

	return want <= in->alloc ? in->alloc : want + (step > 1024 ? step : 1024);
}

int http_exchange_add(struct http_exchange *e, struct span bytes)
{
	size_t want = e->in.len + bytes.len + 1;
	size_t alloc = alloc_for(&e->in, want);
	char *ptr;

	if (e->state == HTTP_CLOSED || bytes.len == 0)
		return 0;
	if (alloc > e->in.alloc) {
		if (!budget_hold(e->options->share, &e->held, alloc + e->out.alloc))
			return -ENOMEM;
		ptr = realloc(e->in.alloc ? e->in.ptr : NULL, alloc);
		if (!ptr) {
			account(e);
			return -ENOMEM;
		}
		e->in.ptr = ptr;
		e->in.alloc = alloc;
	}
	text_add_span(&e->in, bytes); /* there is room */
	return 0;
}

static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{431, "Request Header Fields Too Large"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static void add_date(struct text *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[40];

	if (gmtime_r(&now, &tm) && strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &tm))
		text_addf(out, "Date: %s\r\n", date);
}

/* The request that has been read, as the caller's functions take it. */
static struct http_request request_of(const struct http_exchange *e)
{
	const struct request_head *h = &e->head;
	char *ptr = e->in.ptr;

	if (!e->head_len)
		return (struct http_request){"", "", "", {"", 0}};
	/* Behind each of them stands a separator that nobody reads again. */
	ptr[h->method.at + h->method.len] = '\0';
	ptr[h->path.at + h->path.len] = '\0';
	if (h->content_type.len)
		ptr[h->content_type.at + h->content_type.len] = '\0';
	return (struct http_request){
		.method = ptr + h->method.at,
		.path = ptr + h->path.at,
		.content_type = h->content_type.len ? ptr + h->content_type.at : "",
		.body = {ptr + e->head_len, e->body_len},
	};
}

static void add_answer(struct http_exchange *e, unsigned status, bool is_last)
{
	struct http_request r = request_of(e);
	struct http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};

	text_init(&a.body);
	e->options->answer(e->options->ctx, &r, &a);
	text_addf(&e->out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
		  a.status, reason_of(a.status), a.type, a.body.len);
	add_date(&e->out);
	if (a.allow)
		text_addf(&e->out, "Allow: %s\r\n", a.allow);
	text_add(&e->out, is_last		     ? "Connection: close\r\n\r\n"
			  : e->head.wants_keep_alive ? "Connection: keep-alive\r\n\r\n"
						     : "\r\n");
	if (strcmp(r.method, "HEAD") != 0)
		text_add_span(&e->out, text_span(&a.body));
	e->out.has_failed |= a.body.has_failed;
	text_release(&a.body);
	e->answers++;
	if (a.status < 300)
		e->has_answered = true;
	if (is_last)
		e->state = HTTP_CLOSED;
}

/* Forgets the request, keeps what came behind it. */
static void end_request(struct http_exchange *e)
{
	size_t used = e->head_len + (e->head.is_chunked ? e->raw_at - e->head_len : e->body_len);
	size_t left = e->state == HTTP_CLOSED ? 0 : e->in.len - used;

	if (left > 0) {
		memmove(e->in.ptr, e->in.ptr + used, left);
		e->in.len = left;
		e->in.ptr[left] = '\0';
	} else {
		text_release(&e->in);
	}
	e->head = (struct request_head){0};
	e->chunks = (struct chunked){0};
	e->head_len = e->body_len = e->raw_at = 0;
	/* The answer may be larger than what is left to hold: then it is dropped. */
	if (e->out.has_failed ||
	    !budget_hold(e->options->share, &e->held, e->in.alloc + e->out.alloc)) {
		text_release(&e->out);
		e->state = HTTP_CLOSED;
		account(e);
	}
}

void http_exchange_refuse(struct http_exchange *e, unsigned status)
{
	if (e->state == HTTP_CLOSED)
		return;
	add_answer(e, status, true);
	end_request(e);
}

static bool read_head(struct http_exchange *e)
{
	int n = request_head_read(&e->head, text_span(&e->in));
	struct http_request r;
	unsigned status;

	if (n < 0)
		http_exchange_refuse(e, e->head.status);
	if (n <= 0)
		return false;
	e->head_len = e->raw_at = (size_t)n;
	r = request_of(e);
	status = e->options->refuse(e->options->ctx, &r);
	if (!status && e->head.content_length > e->options->body_max)
		status = STATUS_SIZE;
	if (status) {
		http_exchange_refuse(e, status);
		return false;
	}
	/* RFC 9110 section 10.1.1: not if there is no body, or some of it came already. */
	if (e->head.expects_continue && (e->head.is_chunked || e->head.content_length > 0) &&
	    e->in.len == e->head_len)
		text_add(&e->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return true;
}

/* Moves decoded bytes behind those that were decoded before. */
static bool read_chunks(struct http_exchange *e)
{
	while (e->raw_at < e->in.len && e->chunks.state != CHUNKED_DONE) {
		struct span rest = span_from(text_span(&e->in), e->raw_at);
		struct span data;
		long n = chunked_read(&e->chunks, rest, &data);

		if (n < 0 || e->body_len + data.len > e->options->body_max) {
			http_exchange_refuse(e, n < 0 ? STATUS_BAD_REQUEST : STATUS_SIZE);
			return false;
		}
		memmove(e->in.ptr + e->head_len + e->body_len, data.ptr, data.len);
		e->body_len += data.len;
		e->raw_at += (size_t)n;
	}
	if (e->chunks.state == CHUNKED_DONE)
		return true;
	/* All that is here is decoded: the coding around it needs no memory. */
	e->in.len = e->raw_at = e->head_len + e->body_len;
	return false;
}

/* Is the whole body here? */
static bool read_body(struct http_exchange *e)
{
	if (e->head.is_chunked)
		return read_chunks(e);
	if (e->in.len - e->head_len < e->head.content_length)
		return false;
	e->body_len = (size_t)e->head.content_length;
	return true;
}

bool http_exchange_run(struct http_exchange *e, bool may_be_large)
{
	e->has_more = false;
	if (e->state == HTTP_CLOSED || e->in.len == 0)
		return false;
	if (e->state == HTTP_READING && ((!e->head_len && !read_head(e)) || !read_body(e)))
		return false;
	if (e->body_len >= HTTP_LARGE_BYTES && !may_be_large) {
		e->state = HTTP_WAITING;
		return false;
	}
	e->state = HTTP_READING;
	add_answer(e, 0, e->is_draining || !request_head_keeps(&e->head));
	end_request(e);
	e->has_more = e->state == HTTP_READING && e->in.len > 0;
	return e->has_more;
}

void http_exchange_sent(struct http_exchange *e, size_t n)
{
	e->out_at += n;
	if (e->out_at < e->out.len)
		return;
	text_release(&e->out);
	e->out_at = 0;
	account(e);
}
