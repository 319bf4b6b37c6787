/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts (engine_script.h) of connections with lost records: requests are paired with their own
 * responses, or counted as lost.
 */
#include "engine_script.h"

/* A client that waits for each response, and its log. */
#define WAITER SERVER, I(GET("a")), E(S("200")), I(GET("b")), E(S("200"))
#define WAITED "GET /a 200 0/0\nGET /b 200 0/0\n"

/* Scripts with lost records. */
static const struct script lossy[] = {
	{"a lost request: its response is unpaired",
	 {WAITER, I(GET("1")), E(S("201")), i(GET("2")), E(S("202")), I(GET("3")), E(S("203")),
	  CLOSED},
	 WAITED "GET /1 201 0/0\nGET /3 203 0/0\nunpaired 1\n"},
	{"the first request: one exchange shows that the client waits",
	 {SERVER, i(GET("1")), E(S("201")), I(GET("2")), E(S("202")), I(GET("3")), E(S("203")),
	  CLOSED},
	 "GET /3 203 0/0\nlost 1 unpaired 2\n"},
	{"the first requests: it may have been more than one",
	 {SERVER, i(GET("1") GET("2")), E(S("201")), I(GET("3")), E(S("202")), E(S("203")),
	  I(GET("4")), E(S("204")), CLOSED},
	 "lost 2 unpaired 4\n"},
	{"the first response: one exchange more",
	 {SERVER, I(GET("1")), e(S("201")), I(GET("2")), E(S("202")), I(GET("3")), E(S("203")),
	  I(GET("4")), E(S("204")), CLOSED},
	 "GET /4 204 0/0\nlost 3 unpaired 2\n"},
	{"a response: its request is not given the next",
	 {SERVER, I(GET("1")), E(S("201")), I(GET("2")), e(S("202")), I(GET("3")), E(S("203")),
	  I(GET("4")), E(S("204")), CLOSED},
	 "GET /1 201 0/0\nGET /4 204 0/0\nlost 2 unpaired 1\n"},
	{"a response",
	 {WAITER, I(GET("1")), e(S("201")), I(GET("2")), E(S("202")), I(GET("3")), E(S("203")),
	  CLOSED},
	 WAITED "GET /3 203 0/0\nlost 2 unpaired 1\n"},
	{"the only response, then a close: it was not withheld",
	 {SERVER, I(GET("1")), e(S("201")), CLOSED},
	 "lost 1\n"},
	{"... a reset", {SERVER, I(GET("1")), e(S("201")), RESET}, "lost 1\n"},
	{"... the end of the direction",
	 {SERVER, I(GET("1")), e(S("201")), EF, CLOSED},
	 "lost 1\n"},
	{"both",
	 {WAITER, I(GET("1")), E(S("201")), i(GET("2")), e(S("202")), I(GET("3")), E(S("203")),
	  I(GET("4")), E(S("204")), CLOSED},
	 WAITED "GET /1 201 0/0\nGET /4 204 0/0\nlost 1 unpaired 1\n"},
	{"a response, and later a request: the rest is still counted",
	 {WAITER, I(GET("1")), e(S("201")), I(GET("2")), E(S("202")), I(GET("3")), E(S("203")),
	  i(GET("4")), E(S("204")), I(GET("5")), E(S("205")), I(GET("6")), E(S("206")), CLOSED},
	 WAITED "GET /3 203 0/0\nGET /5 205 0/0\nGET /6 206 0/0\nlost 2 unpaired 2\n"},
	{"a part of a head: 408 is only guessed if nothing is missing",
	 {WAITER, I("POST /1 HTTP/1.1\r\nContent"), i("-Length: 5\r\n\r\n12345"), E(S("201")),
	  I(GET("2")), E(S("202")), I(GET("3")), E(S("203")), CLOSED},
	 WAITED "GET /2 202 0/0\nGET /3 203 0/0\nlost 1 unpaired 1\n"},
	{"the end of an upload: its size is known nevertheless",
	 {SERVER, I(POST5("1")), i("12345"), E(S("201")), I(GET("2")), E(S("202")), CLOSED},
	 "POST /1 201 5/0\nGET /2 202 0/0\n"},
	{"inside a body: sizes are subtractions",
	 {SERVER, I(GET("1")), E(OK("10")), e("01234"), E("56789"), CLOSED},
	 "GET /1 200 0/10\n"},
	{"the end of a body: its time is not known",
	 {WAITER, I(GET("1")), E(OK("5")), e("01234"), I(GET("2")), E(S("202")), I(GET("3")),
	  E(S("203")), CLOSED},
	 WAITED "GET /3 203 0/0\nlost 2 unpaired 1\n"},
	{"... and the connection only closes",
	 {SERVER, I(GET("1")), E(OK("5")), e("01234"), EF, CLOSED},
	 "lost 1\n"},
	{"... a report without bytes comes in time",
	 {SERVER, I(GET("1")), E(OK("9")), e("01234"), ES(4), I(GET("2")), E(S("202")), CLOSED},
	 "GET /1 200 0/9\nGET /2 202 0/0\n"},
	{"chunked framing",
	 {WAITER, I(GET("1")), E(CHUNKED "5\r\n"), e("hello\r\n"), E("0\r\n\r\n"), I(GET("2")),
	  E(S("202")), CLOSED},
	 WAITED "GET /2 202 0/0\nlost 1\n"},
	{"the last of it, then a reset: it may be complete or not",
	 {SERVER, I(GET("1")), E(CHUNKED "5\r\n"), e("hello\r\n0\r\n\r\n"), EF, CLOSED},
	 "lost 1\n"},
	{"pipelined: a request",
	 {SERVER, I(GET("1")), i(GET("2")), I(GET("3")), E(S("201")), E(S("202")), E(S("203")),
	  CLOSED},
	 "lost 2 unpaired 3\n"},
	{"pipelined: a request, when nothing was open",
	 {SERVER, I(GET("1")), E(S("201")), i(GET("2")), I(GET("3")), E(S("202")), E(S("203")),
	  CLOSED},
	 "GET /1 201 0/0\nlost 1 unpaired 2\n"},
	{"pipelined: a response",
	 {SERVER, I(GET("1") GET("2") GET("3")), E(S("201")), e(S("202")), E(S("203")), CLOSED},
	 "GET /1 201 0/0\nlost 2 unpaired 1\n"},
	{"pipelined: a response, and requests go on before the rest is answered",
	 {SERVER, I(GET("1") GET("2") GET("3")), e(S("201")), E(S("202")), I(GET("4")), E(S("203")),
	  E(S("204")), CLOSED},
	 "lost 4 unpaired 3\n"},
	{"a response to HEAD without its request: its length is no body",
	 {WAITER, i(HEAD("1")), E(OK("70")), I(GET("2")), E(OK("0")), I(GET("3")), E(S("203")),
	  CLOSED},
	 WAITED "GET /2 200 0/0\nGET /3 203 0/0\nunpaired 1\n"},
	{"pipelined: ends of heads, the last one found so by the responses",
	 {WAITER, i(GET("1") GET("2")), e(S("201") S("202")), I("GET /3 HTTP/1.1\r\nHo"),
	  i("st: h\r\n\r\n"), I("GET /4 HTTP/1.1\r\nHost: h\r\n\r"), i("\n"), E(S("203") S("204")),
	  CLOSED},
	 WAITED "lost 2 unpaired 2\n"},
	{"a part of an upload, then the end of a head: the request has no body",
	 {WAITER, I("POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"),
	  i("12345\r\n1\r\n"), I("1\r\n0\r\n\r\n"), E(S("201")),
	  I("GET /2 HTTP/1.1\r\nHost: h\r\n\r"), i("\n"), E(S("202")), CLOSED},
	 WAITED "POST /1 201 3/0\nGET /2 202 0/0\n"},
	{"an upgrade without its request: nothing is HTTP after it",
	 {SERVER, i(UPGRADE), E(SWITCH), E("HTTP/1.1 200 OK\r\n\r\n"), I(GET("x")), MUTED},
	 "unpaired 1\n"},
	{"the client's side",
	 {CLIENT, E(GET("1")), I(S("201")), E(GET("2")), i(S("202")), E(GET("3")), I(S("203")),
	  E(GET("4")), I(S("204")), CLOSED},
	 "client h:40000 GET /1 201 0/0\nclient h:40000 GET /4 204 0/0\nlost 2 unpaired 1\n"},
	{"OPEN itself, and the first request",
	 {i(GET("1")), E(S("201")), I(GET("2")), E(S("202")), CLOSED},
	 "GET /2 202 0/0\nunpaired 1\n"},
};

static void test_lossy(void **state)
{
	(void)state;
	script_run_all(lossy, sizeof(lossy) / sizeof(*lossy), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lossy),
	};

	return cmocka_run_group_tests_name("engine_gaps", tests, NULL, NULL);
}
