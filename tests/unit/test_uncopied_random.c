/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipelined requests of which any part was not copied: each is reported with the status of its own
 * response, or counted as lost. Bodies contain what looks like requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "wire.h"

#define REQUESTS   40
#define SEEDS	   20000
#define STREAM_MAX (REQUESTS * 700)
#define INVENTED   "GET /invented HTTP/1.1\r\nHost: h\r\n\r\n"

struct run {
	struct wire wire;
	uint32_t random;
	char stream[STREAM_MAX]; /* all requests */
	uint32_t end[REQUESTS]; /* of each request in it */
	uint32_t len;
	bool is_head[REQUESTS];
	uint32_t acked; /* bytes of responses that the client has acknowledged */
	uint32_t sent; /* bytes of responses that were sent */
	unsigned answered; /* the number of the response that is being sent */
	bool has_chunked; /* some requests have bodies of unknown length */
	unsigned copied; /* so many requests are copied whole before any byte is not */
	unsigned reported; /* transactions with the right status */
	unsigned wrong;
	char last_wrong[64];
};

static uint32_t draw(struct run *r, uint32_t below)
{
	r->random = r->random * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(r->random >> 8) * below >> 24);
}

static unsigned status_of(unsigned request)
{
	static const unsigned statuses[] = {200, 404, 201, 503, 403, 202, 500};

	return statuses[request % (sizeof(statuses) / sizeof(*statuses))];
}

static void add_request(struct run *r, unsigned number)
{
	uint32_t body = draw(r, 3) ? draw(r, 400) : 0;
	bool is_chunked = body && r->has_chunked && draw(r, 2);
	char *p = r->stream + r->len;

	r->is_head[number] = !body && draw(r, 3) == 0;
	if (!body && draw(r, 2) && !r->is_head[number])
		p += sprintf(p, "GET /%u HTTP/1.1\r\nHost: h\r\n\r\n", number);
	else if (r->is_head[number])
		p += sprintf(p, "HEAD /%u HTTP/1.1\r\nHost: h\r\n\r\n", number);
	else if (is_chunked)
		p += sprintf(p, "POST /%u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
			     number, body);
	else
		p += sprintf(p, "PUT /%u HTTP/1.1\r\nHost: h\r\nContent-Length: %u\r\n\r\n", number,
			     body);
	for (uint32_t i = 0; i < body; i++)
		*p++ = INVENTED[i % (sizeof(INVENTED) - 1)];
	if (is_chunked)
		p += sprintf(p, "\r\n0\r\n\r\n");
	r->len = (uint32_t)(p - r->stream);
	r->end[number] = r->len;
}

static void done(void *ctx, const struct transaction *t)
{
	struct run *r = ctx;
	struct span target = t->http.target;
	unsigned number = REQUESTS;
	char text[16];

	/* A head of which a part was not copied; the next response may tell where its own ends. */
	if (target.len == 0)
		number = t->http.status == status_of(r->answered) ? r->answered : r->answered - 1;
	(void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(target));
	(void)sscanf(text, "/%u", &number);
	if (number < REQUESTS && t->http.status == status_of(number) && !t->error) {
		r->reported++;
		return;
	}
	r->wrong++;
	(void)snprintf(r->last_wrong, sizeof(r->last_wrong), "%.*s %u error %d", SPAN_ARG(target),
		       t->http.status, (int)t->error);
}

/* Slices end anywhere, also within what may be a body or the next response. */
static void send_response(struct run *r, struct span response)
{
	size_t n;

	for (; response.len; response = span_from(response, n)) {
		n = draw(r, 4) ? response.len : 1 + draw(r, (uint32_t)response.len);
		wire_record(&r->wire, DIR_EGRESS, (struct span){response.ptr, n}, 0, false, false);
		r->sent += (uint32_t)n;
	}
}

/* The server responds to some of the requests whose bytes have all passed. */
static unsigned respond(struct run *r, unsigned next, uint32_t passed, bool all)
{
	char response[128];

	while (next < REQUESTS && r->end[next] <= passed && (all || draw(r, 3))) {
		uint32_t body = draw(r, 3) ? draw(r, draw(r, 2) ? 8 : 40) : 0;

		(void)snprintf(response, sizeof(response),
			       "HTTP/1.1 %u X\r\nContent-Length: %u\r\n\r\n%.*s", status_of(next),
			       body, r->is_head[next] ? 0 : (int)body,
			       "a body that is no longer than forty bytes ");
		r->wire.in_flight = 0;
		r->answered = next;
		send_response(r, span_of(response));
		next++;
	}
	return next;
}

/*
 * One segment of the client. The first ones are copied, as the beginning of a flight is. Returns
 * how long it was.
 */
static uint32_t send_segment(struct run *r, uint32_t at, unsigned skips_of_8)
{
	uint32_t n = 1 + draw(r, draw(r, 2) ? 90 : 900);
	bool is_skipped = at > r->end[r->copied - 1] && draw(r, 8) < skips_of_8;

	if (n > r->len - at)
		n = r->len - at;
	if (draw(r, 4) == 0)
		r->acked = r->sent;
	else if (draw(r, 2))
		r->acked += draw(r, r->sent - r->acked + 1);
	r->wire.in_flight = r->sent - r->acked;
	if (!is_skipped)
		wire_record(&r->wire, DIR_INGRESS, (struct span){r->stream + at, n}, 0, false,
			    false);
	else if (draw(r, 2))
		wire_skip(&r->wire, DIR_INGRESS, n);
	else
		r->wire.seq[DIR_INGRESS] += n;
	return n;
}

/* Returns whether all requests are accounted for. */
static bool play(uint32_t seed)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
	struct run *r = calloc(1, sizeof(*r));
	const struct txn_sink sink = {.needs = TXN_NEED_TARGET, .done = done};
	uint64_t now_ns = 0;
	const char *error;
	struct engine *engine = engine_new(&options, &error);
	unsigned skips_of_8 = seed % 5;
	unsigned next = 0;
	uint64_t lost;
	uint32_t at = 0;
	bool is_right;

	assert_non_null(r);
	assert_non_null(engine);
	r->random = seed;
	r->has_chunked = seed % 3 == 0;
	r->copied = 2 + seed % 7;
	r->wire = wire_new(engine, &now_ns, 1);
	engine_add_sink(engine, &sink, r);
	for (unsigned i = 0; i < REQUESTS; i++)
		add_request(r, i);
	wire_open(&r->wire, ROLE_SERVER);
	while (at < r->len) {
		at += send_segment(r, at, skips_of_8);
		next = respond(r, next, at, false);
	}
	(void)respond(r, next, at, true);
	wire_close(&r->wire, false);
	lost = wire_lost_count(engine);
	is_right = !r->wrong && r->reported + lost == REQUESTS;
	if (!is_right)
		print_error("seed %u (%u of 8 skipped): %u reported, %llu lost, %u wrong (%s)\n",
			    seed, skips_of_8, r->reported, (unsigned long long)lost, r->wrong,
			    r->last_wrong);
	engine_free(engine);
	free(r);
	return is_right;
}

static void test_pipelined_and_not_copied(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		failed += !play(seed);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined_and_not_copied),
	};

	return cmocka_run_group_tests_name("uncopied_random", tests, NULL, NULL);
}
