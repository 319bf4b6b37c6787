/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 on one connection, as bytes in and bytes out: no socket, no clock.
 * Requests are answered one after the other, also pipelined ones.
 *
 *     READING ---------- whole and small ---------> the answer is added to out
 *      |  ^ whole and large                                   |
 *      |  |  v                                                |
 *      |  | WAITING --- may_be_large ------------------------>|
 *      |  +-------------- the next request -------------------+
 *      +-- refused --> CLOSED <-- the last answer of the connection
 *
 * In CLOSED, out still has an answer to be sent; what arrives is ignored.
 */
#ifndef SIDELIGHT_WEBHOOK_HTTP_EXCHANGE_H
#define SIDELIGHT_WEBHOOK_HTTP_EXCHANGE_H

#include "webhook/chunked.h"
#include "webhook/http.h"
#include "webhook/request_head.h"

/* A body from this size on costs milliseconds to parse: it waits in WAITING. */
#define HTTP_LARGE_BYTES (64u << 10)

enum http_exchange_state { HTTP_READING, HTTP_WAITING, HTTP_CLOSED };

struct http_exchange {
	const struct http_options *options;
	enum http_exchange_state state;
	bool is_draining; /* the next answer is the last */
	bool has_answered; /* with a status below 300, once at least */
	bool has_more; /* after an answer: http_exchange_run() can go on without another byte */
	uint64_t answers;
	size_t held; /* bytes of BUDGET_REQUESTS */

	struct text in; /* the request from its first byte on, and pipelined ones */
	struct request_head head;
	size_t head_len; /* 0: the head is not whole */
	struct chunked chunks;
	size_t body_len; /* decoded, behind the head */
	size_t raw_at; /* where in the buffer the first byte is that is not decoded */

	struct text out;
	size_t out_at; /* bytes of it that are sent */
};

void http_exchange_init(struct http_exchange *e, const struct http_options *options);
void http_exchange_release(struct http_exchange *e);

/* Appends what has arrived. -ENOMEM: there is no memory for it, nothing was added. */
int http_exchange_add(struct http_exchange *e, struct span bytes);

/*
 * Reads and answers as much as it can, up to the first answer that is added to out.
 * A large request is answered only with may_be_large; without it the state is HTTP_WAITING.
 * Returns true if there may be more to do once the answer is sent.
 */
bool http_exchange_run(struct http_exchange *e, bool may_be_large);

/* Refuses what is on its way, by a status; it is the last answer. */
void http_exchange_refuse(struct http_exchange *e, unsigned status);

/* `n` bytes of out were sent. */
void http_exchange_sent(struct http_exchange *e, size_t n);

static inline struct span http_exchange_out(const struct http_exchange *e)
{
	return span_from(text_span(&e->out), e->out_at);
}

/* Has a head arrived whose answer is not sent yet? */
static inline bool http_exchange_is_open(const struct http_exchange *e)
{
	return e->head_len > 0 || e->out_at < e->out.len;
}

#endif
