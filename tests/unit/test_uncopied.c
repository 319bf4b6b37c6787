/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests among skipped bytes: each is counted as lost, once, when its response comes. Requests
 * before the skipped bytes keep their responses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire.h"

#define STEPS 16

/* One record, with its bytes or the number of skipped bytes. */
struct step {
	enum {
		END,
		REQUEST,
		RESPONSE,
		SKIP, /* a record reports that so many bytes were skipped */
		PASS, /* bytes pass that are not copied, and no record reports them yet */
		LOSE, /* a record that stands for so many bytes is lost */
		CLOSE,
	} what;
	const char *data;
	uint32_t n;
};

#define Q(s)                                                                                       \
	{                                                                                          \
		REQUEST, s, 0                                                                      \
	}
#define A(s)                                                                                       \
	{                                                                                          \
		RESPONSE, s, 0                                                                     \
	}
#define SKIPPED(n)                                                                                 \
	{                                                                                          \
		SKIP, NULL, n                                                                      \
	}
#define PASSED(n)                                                                                  \
	{                                                                                          \
		PASS, NULL, n                                                                      \
	}
#define LOST(n)                                                                                    \
	{                                                                                          \
		LOSE, NULL, n                                                                      \
	}
#define CLOSED                                                                                     \
	{                                                                                          \
		CLOSE, NULL, 0                                                                     \
	}

#define GET(p)		  "GET /" p " HTTP/1.1\r\nHost: h\r\n\r\n"
#define UPLOAD(p)	  "POST /" p " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK(code)	  "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"
#define LENGTH_ONLY(code) "HTTP/1.1 " code " X\r\nContent-Length: 500\r\n\r\n"
#define HEAD_ONLY(code)	  "HTTP/1.1 " code " X\r\n\r\n"
#define LAST_CHUNK	  "\r\n0\r\n\r\n"

static const struct {
	const char *why;
	struct step steps[STEPS];
	const char *want;
} rows[] = {
	{"between two messages",
	 {Q(GET("1") GET("2")), SKIPPED(70), A(OK("201")), A(OK("202")), A(OK("203")), A(OK("204")),
	  CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 2 unpaired 2\n"},
	{"no record reports them before the responses come",
	 {Q(GET("1") GET("2")), PASSED(70), A(OK("201")), A(OK("202")), A(OK("203")), A(OK("204")),
	  SKIPPED(10), A(OK("205")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 3 unpaired 3\n"},
	{"... nor before the connection ends",
	 {Q(GET("1") GET("2")), PASSED(70), A(OK("201")), A(OK("202")), A(OK("203")), A(OK("204")),
	  CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 2 unpaired 2\n"},
	{"the first one begins in what was copied: its route is unknown",
	 {Q(GET("1") GET("2") "GET /3"), SKIPPED(70), A(OK("201")), A(OK("202")), A(OK("203")),
	  A(OK("204")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 2 unpaired 2\n"},
	{"requests behind them may get the response of one that was not copied: all are lost",
	 {Q(GET("1") GET("2")), SKIPPED(70), Q(GET("5") GET("6")), A(OK("201")), A(OK("202")),
	  A(OK("203")), A(OK("204")), A(OK("205")), A(OK("206")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 4 unpaired 4\n"},
	{"bytes of a body behind them look like requests: responses are counted instead",
	 {Q(GET("1") GET("2")), SKIPPED(70), Q(GET("5") GET("6") GET("7")), A(OK("201")),
	  A(OK("202")), A(OK("203")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 1 unpaired 1\n"},
	{"some of them are HEAD: their responses have a length, or no framing, and no body",
	 {Q(GET("1") GET("2")), SKIPPED(70), A(OK("201")),
	  A(OK("202") LENGTH_ONLY("203") OK("204")), A(LENGTH_ONLY("205")),
	  A(OK("206") HEAD_ONLY("207") OK("208")), A(HEAD_ONLY("209")), A(OK("210")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 8 unpaired 8\n"},
	{"twice: the requests between them are lost, too",
	 {Q(GET("1") GET("2")), SKIPPED(70), Q(GET("5") GET("6")), SKIPPED(30), Q(GET("8")),
	  A(OK("201") OK("202")), A(OK("203") OK("204")), A(OK("205") OK("206")),
	  A(OK("207") OK("208")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 6 unpaired 6\n"},
	{"in what looks like the body of an upload",
	 {Q(UPLOAD("1") "5\r\nhello" LAST_CHUNK UPLOAD("2") "5\r\n"), SKIPPED(500), Q(LAST_CHUNK),
	  A(OK("201")), A(OK("202")), A(OK("203")), A(OK("204")), CLOSED},
	 "POST /1 201 15/0\nPOST /2 202 510/0\nlost 2 unpaired 2\n"},
	{"an upload, whose response comes, and another request: nothing was missed",
	 {Q(UPLOAD("1") "5000\r\n"), SKIPPED(0x5000), Q(LAST_CHUNK), A(OK("201")), Q(GET("2")),
	  A(OK("202")), CLOSED},
	 "POST /1 201 20493/0\nGET /2 202 0/0\n"},
	{"... and 408 without a request",
	 {Q(UPLOAD("1") "5\r\n"), SKIPPED(500), Q(LAST_CHUNK), A(OK("201")), A(OK("408")), CLOSED},
	 "POST /1 201 510/0\n"},
	{"a record is lost behind them",
	 {Q(GET("1") GET("2")), SKIPPED(70), LOST(70), A(OK("201")), A(OK("202")), A(OK("203")),
	  A(OK("204")), Q(GET("5")), A(OK("205")), CLOSED},
	 "GET /1 201 0/0\nGET /2 202 0/0\nlost 3 unpaired 3\n"},
	{"only a record is lost",
	 {Q(GET("1")), A(OK("201")), LOST(70), A(OK("202")), A(OK("203")), CLOSED},
	 "GET /1 201 0/0\nunpaired 2\n"},
};

static void play(struct wire *w, const struct step *step)
{
	switch (step->what) {
	case REQUEST:
		wire_data(w, DIR_INGRESS, step->data);
		break;
	case RESPONSE:
		wire_data(w, DIR_EGRESS, step->data);
		break;
	case SKIP:
		wire_skip(w, DIR_INGRESS, step->n);
		break;
	case PASS:
		w->seq[DIR_INGRESS] += step->n;
		break;
	case LOSE:
		wire_record(w, DIR_INGRESS, span_of(""), step->n, false, true);
		break;
	case CLOSE:
		wire_close(w, false);
		break;
	case END:
		break;
	}
}

static void test_requests_that_were_not_copied(void **state)
{
	const struct txn_sink sink = {.needs = TXN_NEED_TARGET, .done = wire_log};
	bool is_wrong = false;
	struct text text;

	(void)state;
	text_init(&text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
		uint64_t now_ns = 0;
		const char *error;
		struct engine *engine = engine_new(&options, &error);
		struct wire w = wire_new(engine, &now_ns, 1);

		assert_non_null(engine);
		text_clear(&text);
		engine_add_sink(engine, &sink, &text);
		wire_open(&w, ROLE_SERVER);
		for (size_t k = 0; k < STEPS; k++)
			play(&w, &rows[i].steps[k]);
		wire_log_stats(&text, engine);
		engine_free(engine);
		if (strcmp(text.ptr, rows[i].want) != 0) {
			print_error("%s\ngot:\n%swant:\n%s", rows[i].why, text.ptr, rows[i].want);
			is_wrong = true;
		}
	}
	text_release(&text);
	assert_false(is_wrong);
}

/* More open requests than are followed: each is counted as lost, once. */
static void test_pipeline_that_is_too_deep(void **state)
{
	static const unsigned depths[] = {4096, 4097, 5000, 10000};
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};

	(void)state;
	for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++) {
		const struct engine_stats *stats;
		uint64_t now_ns = 0;
		const char *error;
		struct engine *engine = engine_new(&options, &error);
		struct wire w = wire_new(engine, &now_ns, 1);

		assert_non_null(engine);
		wire_open(&w, ROLE_SERVER);
		for (unsigned k = 0; k < depths[i]; k++)
			wire_data(&w, DIR_INGRESS, GET("a"));
		wire_skip(&w, DIR_INGRESS, 70);
		for (unsigned k = 0; k < depths[i] + 2; k++)
			wire_data(&w, DIR_EGRESS, OK("200"));
		wire_close(&w, false);
		stats = engine_stats(engine);
		assert_int_equal(stats->transactions, depths[i] == 4096 ? 4096 : 0);
		assert_int_equal(stats->transactions + wire_lost_count(engine), depths[i] + 2);
		engine_free(engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_that_were_not_copied),
		cmocka_unit_test(test_pipeline_that_is_too_deep),
	};

	return cmocka_run_group_tests_name("uncopied", tests, NULL, NULL);
}
