/* SPDX-License-Identifier: Apache-2.0 */
/* The engine with a protocol that was added (tests/toy), and HTTP beside it as without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/event.h"
#include "metrics/red.h"
#include "metrics/text.h"
#include "tests/toy/ping.h"
#include "txn/protocols.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One connection of a server. */
struct step {
	char what; /* I, E: ingress and egress data; i, e: lost; C, R: closed, reset; F: ingress FIN
		    */
	const char *data;
};

struct conversation {
	const char *why;
	struct step steps[8];
	const char *want;
};

/* A transaction as a line: ctx is a struct text. */
static void log_transaction(void *ctx, const struct transaction *t)
{
	const struct ping_part *part = t->added.part;

	if (t->protocol != TXN_ADDED) {
		wire_log(ctx, t);
		return;
	}
	assert_ptr_equal(t->added.protocol, &ping_protocol);
	text_addf(ctx, "%s %u %s\n", t->known_method, part->number,
		  t->error ? txn_error_name(t->error) : "answered");
}

static const struct txn_sink logging_sink = {.needs = TXN_NEED_TARGET, .done = log_transaction};

static void note_failures(struct text *out, struct engine *e)
{
	const struct engine_stats *stats = engine_stats(e);
	uint64_t failed = 0;

	for (int i = 0; i < PARSE_FAIL_MAX; i++)
		failed += stats->parse_failed[i];
	if (failed || stats->bytes_lost_framing)
		text_addf(out, "malformed %u, lost bytes %u\n", (unsigned)failed,
			  (unsigned)stats->bytes_lost_framing);
}

/* Bytes are handed in as they are, or one by one, or with a cut behind the first `cut` ones. */
static void send(struct wire *w, const struct step *step, size_t *cut, bool is_bytewise)
{
	enum dir dir = step->what == 'I' || step->what == 'i' ? DIR_INGRESS : DIR_EGRESS;
	bool is_lost = step->what == 'i' || step->what == 'e';
	struct span data = span_of(step->data);
	size_t n;

	for (; data.len; data = span_from(data, n)) {
		n = is_bytewise ? 1 : *cut && *cut < data.len ? *cut : data.len;
		*cut -= n < *cut ? n : *cut;
		wire_record(w, dir, (struct span){data.ptr, n}, 0, false, is_lost);
	}
}

static void converse(struct text *out, const struct conversation *conversation, bool has_toy,
		     size_t cut, bool is_bytewise)
{
	const char *error;
	struct engine *e =
		engine_new(&(struct engine_options){.conn_cap = 10, .route_cap = 10}, &error);
	struct registry *r = registry_new(1000);
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = false});
	uint64_t now_ns = 1000;
	struct wire w = wire_new(e, &now_ns, 1);

	assert_non_null(e);
	if (has_toy)
		assert_int_equal(engine_add_protocol(e, &ping_protocol), 0);
	assert_int_equal(engine_add_sink(e, &logging_sink, out), 0);
	assert_int_equal(engine_add_sink(e, &red_sink, red), 0);
	wire_open(&w, ROLE_SERVER);
	for (const struct step *step = conversation->steps; step->what; step++) {
		if (step->what == 'C' || step->what == 'R')
			wire_close(&w, step->what == 'R');
		else if (step->what == 'F')
			wire_fin(&w, DIR_INGRESS);
		else
			send(&w, step, &cut, is_bytewise);
	}
	engine_flush(e, ++now_ns);
	wire_log_stats(out, e);
	note_failures(out, e);
	for (int i = 0; i < NOT_HTTP_MAX; i++)
		if (engine_stats(e)->conns_not_http[i])
			text_addf(out, "not HTTP: %s\n", not_http_name((enum not_http)i));
	assert_int_equal(engine_stats(e)->requests_open, 0);
	engine_free(e); /* asserts that all memory of connections is free */
	red_free(red);
	registry_free(r);
}

static size_t length(const struct conversation *conversation)
{
	size_t sum = 0;

	for (const struct step *step = conversation->steps; step->what; step++)
		sum += step->data ? strlen(step->data) : 0;
	return sum;
}

/* Whole, cut in two at each place, and byte by byte: each gives `want`. */
static void check(const struct conversation *conversation, bool has_toy, const char *want)
{
	size_t len = length(conversation);

	for (size_t cut = 0; cut <= len; cut++) {
		struct text out;

		text_init(&out);
		converse(&out, conversation, has_toy, cut, cut == len);
		if (strcmp(out.ptr, want) != 0)
			fail_msg("%s, cut at %zu of %zu:\n%s", conversation->why, cut, len,
				 out.ptr);
		text_release(&out);
	}
}

static const struct conversation pings[] = {
	{"one exchange", {{'I', "PING 1\n"}, {'E', "PONG 1\n"}, {'C', NULL}}, "PING 1 answered\n"},
	{"several at once, answered in another order",
	 {{'I', "PING 1\nPING 20\nPING 300\n"},
	  {'E', "PONG 300\nPONG 1\n"},
	  {'E', "PONG 20\n"},
	  {'C', NULL}},
	 "PING 300 answered\nPING 1 answered\nPING 20 answered\n"},
	{"closed before the answer",
	 {{'I', "PING 1\nPING 2\n"}, {'E', "PONG 2\nPO"}, {'C', NULL}},
	 "PING 2 answered\nPING 1 connection_closed\n"},
	{"reset before it", {{'I', "PING 7\n"}, {'R', NULL}}, "PING 7 connection_reset\n"},
	{"the source ends first", {{'I', "PING 7\n"}}, ""},
	{"a client that only shuts its side down",
	 {{'I', "PING 7\n"}, {'F', NULL}, {'E', "PONG 7\n"}, {'C', NULL}},
	 "PING 7 answered\n"},
	{"behind a PROXY header",
	 {{'I', "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPING 5\n"}, {'E', "PONG 5\n"}, {'C', NULL}},
	 "PING 5 answered\n"},
	{"an answer to nothing",
	 {{'I', "PING 1\n"}, {'E', "PONG 2\nPONG 1\n"}, {'C', NULL}},
	 "PING 1 answered\nunpaired 1\n"},
	{"malformed lines are passed over",
	 {{'I', "PING 1\nPING x\nPING 1234567890\nPING 2\n"},
	  {'E', "PONG 1\n\nPONG 2\n"},
	  {'C', NULL}},
	 "PING 1 answered\nPING 2 answered\nmalformed 3, lost bytes 0\n"},
	{"a lost answer is lost, and belongs to no other",
	 {{'I', "PING 1\nPING 2\n"}, {'e', "PONG 1\n"}, {'E', "\nPONG 2\n"}, {'C', NULL}},
	 "PING 2 answered\nlost 1\nmalformed 1, lost bytes 7\n"},
	{"a lost request has an answer that is unpaired",
	 {{'I', "PING 1\n"},
	  {'i', "PING 2\n"},
	  {'I', "\nPING 3\n"},
	  {'E', "PONG 1\nPONG 2\nPONG 3\n"},
	  {'C', NULL}},
	 "PING 1 answered\nPING 3 answered\nunpaired 1\nmalformed 1, lost bytes 7\n"},
};

static void test_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pings); i++)
		check(&pings[i], true, pings[i].want);
}

/* More open ones than there is room for, and the answers to those that have none. */
static void test_depth(void **state)
{
	struct conversation deep = {"deep", {{'I', NULL}, {'E', NULL}, {'C', NULL}}, NULL};
	struct text asked;
	struct text answered;
	struct text want;

	(void)state;
	text_init(&asked);
	text_init(&answered);
	text_init(&want);
	for (int i = 0; i < PING_OPEN_MAX + 2; i++) {
		text_addf(&asked, "PING %d\n", i);
		text_addf(&answered, "PONG %d\n", i);
		if (i < PING_OPEN_MAX)
			text_addf(&want, "PING %d answered\n", i);
	}
	text_add(&want, "lost 2 unpaired 2\n");
	deep.steps[0].data = asked.ptr;
	deep.steps[1].data = answered.ptr;
	check(&deep, true, want.ptr);
	text_release(&asked);
	text_release(&answered);
	text_release(&want);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* With the toy beside it, each of these is what it is without it; `want` is a part of that. */
static const struct conversation others[] = {
	{"GET",
	 {{'I', "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"}, {'E', OK}, {'C', NULL}},
	 "GET /a 200"},
	{"methods that begin as PING does",
	 {{'I', "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"},
	  {'E', OK},
	  {'I', "PUT /b HTTP/1.1\r\nHost: h\r\n\r\n"},
	  {'E', OK},
	  {'C', NULL}},
	 "POST /a 200"},
	{"one that goes on as PING does",
	 {{'I', "PINX /a HTTP/1.1\r\nHost: h\r\n\r\n"}, {'E', OK}, {'C', NULL}},
	 "PINX /a 200"},
	{"HTTP/2, whose preface begins likewise, answered by HTTP/1",
	 {{'I', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	  {'E', "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"},
	  {'C', NULL}},
	 ""},
	{"behind a PROXY header",
	 {{'I', "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPUT /a HTTP/1.1\r\nHost: h\r\n\r\n"},
	  {'E', OK},
	  {'C', NULL}},
	 "PUT /a 200"},
	{"no more than its beginning", {{'I', "P"}, {'F', NULL}, {'C', NULL}}, ""},
	{"which the server refuses",
	 {{'I', "PI"}, {'E', "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"}, {'C', NULL}},
	 ""},
	{"lost behind its beginning",
	 {{'I', "P"},
	  {'i', "OST /a HTTP/1.1\r\n"},
	  {'I', "Host: h\r\n\r\n"},
	  {'E', OK},
	  {'I', "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"},
	  {'E', OK},
	  {'C', NULL}},
	 ""},
	{"a server that speaks first",
	 {{'E', "220 mail\r\n"}, {'I', "PASS x\r\n"}, {'C', NULL}},
	 "not HTTP: FTP or mail"},
};

static void test_http_is_unchanged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		size_t len = length(&others[i]);

		for (size_t cut = 0; cut <= len; cut++) {
			struct text alone;
			struct text beside;

			text_init(&alone);
			text_init(&beside);
			converse(&alone, &others[i], false, cut, cut == len);
			converse(&beside, &others[i], true, cut, cut == len);
			if (strcmp(alone.ptr, beside.ptr) != 0)
				fail_msg("%s, cut at %zu of %zu:\n%s, and alone\n%s", others[i].why,
					 cut, len, beside.ptr, alone.ptr);
			if (!cut && !strstr(alone.ptr, others[i].want))
				fail_msg("%s: %s", others[i].why, alone.ptr);
			text_release(&alone);
			text_release(&beside);
		}
	}
}

static void count_done(void *ctx, const struct transaction *t)
{
	const char *const values[] = {txn_error_name(t->error)};

	if (t->protocol == TXN_ADDED && t->added.protocol == &ping_protocol)
		series_add(family_series(ctx, values), 1);
}

static const struct txn_sink count_sink = {.done = count_done};

/* The metrics of HTTP and gRPC have nothing of it, and a family of its own has. */
static void test_metrics(void **state)
{
	static const char *const labels[] = {"error_type"};
	static const struct family_desc desc = {.name = "toy_exchanges_total",
						.help = "Answered, and not.",
						.type = METRIC_COUNTER,
						.label_names = labels,
						.label_count = 1};
	const char *error;
	struct engine *e =
		engine_new(&(struct engine_options){.conn_cap = 10, .route_cap = 10}, &error);
	struct registry *r = registry_new(1000);
	struct family *family = registry_family(r, &desc);
	struct red *red = red_new(r, &(struct red_options){.wants_body_sizes = true});
	uint64_t now_ns = 1000;
	struct wire w = wire_new(e, &now_ns, 1);
	struct text page;

	(void)state;
	assert_int_equal(engine_add_protocol(e, &ping_protocol), 0);
	assert_int_equal(engine_add_sink(e, &red_sink, red), 0);
	assert_int_equal(engine_add_sink(e, &count_sink, family), 0);
	wire_open(&w, ROLE_SERVER);
	wire_data(&w, DIR_INGRESS, "PING 1\nPING 2\nPING 3\n");
	wire_data(&w, DIR_EGRESS, "PONG 1\nPONG 2\n");
	wire_close(&w, true);
	text_init(&page);
	text_encode(&page, r, TEXT_PROMETHEUS, NULL, 0);
	assert_non_null(strstr(page.ptr, "\ntoy_exchanges_total 2\n"));
	assert_non_null(
		strstr(page.ptr, "\ntoy_exchanges_total{error_type=\"connection_reset\"} 1\n"));
	assert_null(strstr(page.ptr, "_count"));
	text_release(&page);
	engine_free(e);
	red_free(red);
	registry_free(r);
}

static void test_room(void **state)
{
	struct protocols p = {0};

	(void)state;
	for (int i = 0; i < PROTOCOLS_MAX; i++)
		assert_int_equal(protocols_add(&p, &ping_protocol), 0);
	assert_int_equal(protocols_add(&p, &ping_protocol), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_http_is_unchanged),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("toy", tests, NULL, NULL);
}
