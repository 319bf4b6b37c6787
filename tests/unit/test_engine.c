/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts (engine_script.h) of connections without loss, and of connections older than the capture.
 */
#include "engine_script.h"

static const struct script complete[] = {
	{"one request", {SERVER, I(GET("a")), E(OK("5") "hello"), CLOSED}, "GET /a 200 0/5\n"},
	{"keep-alive",
	 {SERVER, I(GET("a")), E(S("200")), I(POST5("b") "12345"), E(S("404")), CLOSED},
	 "GET /a 200 0/0\nPOST /b 404 5/0\n"},
	{"nothing is reported before the last byte of the response",
	 {SERVER, I(GET("a")), E(OK("5") "hell"), CUT},
	 ""},
	{"a body that was not copied",
	 {SERVER, I(GET("a")), E(OK("100000")), ES(90000), ES(10000), CLOSED},
	 "GET /a 200 0/100000\n"},
	{"heads cut anywhere",
	 {SERVER, I("GE"), I("T /a HTTP/1.1\r\nHo"), I("st: h\r\n\r"), I("\n"), E("HTT"),
	  E("P/1.1 204 No Content\r\n"), E("\r\n"), CLOSED},
	 "GET /a 204 0/0\n"},
	{"pipelined: answered in the order of the requests",
	 {SERVER, I(GET("a") GET("b")), I(GET("c")), E(S("201")), E(S("202") S("203")), CLOSED},
	 "GET /a 201 0/0\nGET /b 202 0/0\nGET /c 203 0/0\n"},
	{"HEAD has the length of a body, and none",
	 {SERVER, I(HEAD("a")), E(OK("100000")), I(GET("b")), E(OK("2") "ok"), CLOSED},
	 "HEAD /a 200 0/0\nGET /b 200 0/2\n"},
	{"304 likewise",
	 {SERVER, I(GET("a")), E("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n"), I(GET("b")),
	  E(S("200")), CLOSED},
	 "GET /a 304 0/0\nGET /b 200 0/0\n"},
	{"1xx is not the final response",
	 {SERVER, I("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
	  E("HTTP/1.1 100 Continue\r\n\r\n"), I("abc"),
	  E("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" S("201")), CLOSED},
	 "POST /a 201 3/0\n"},
	{"101 ends HTTP",
	 {SERVER, I(UPGRADE), E(SWITCH), I("\x81\x05hello"), E(OK("2")), I(GET("x")), CLOSED},
	 "GET /ws 101 0/0\n"},
	{"the BPF programs mute the connection, too",
	 {SERVER, I(UPGRADE), E(SWITCH), MUTED},
	 "GET /ws 101 0/0\n"},
	{"CONNECT opens a tunnel",
	 {SERVER, I("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
	  E("HTTP/1.1 200 Established\r\n\r\n"), I("\x16\x03\x01"), E(S("500")), CLOSED},
	 "CONNECT h:443 200 0/0\n"},
	{"CONNECT that is refused does not",
	 {SERVER, I("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), E(S("403")), I(GET("a")),
	  E(S("200")), CLOSED},
	 "CONNECT h:443 403 0/0\nGET /a 200 0/0\n"},
	{"chunked, and the end comes last",
	 {SERVER, I(GET("a")), E(CHUNKED "5\r\nhello\r\n"), E("0\r\n\r\n"), CLOSED},
	 "GET /a 200 0/15\n"},
	{"chunked, not copied but for its end",
	 {SERVER, I(GET("a")), E(CHUNKED "ffff\r\n"), ES(65535), E("\r\n0\r\n\r\n"), I(GET("b")),
	  E(S("200")), CLOSED},
	 "GET /a 200 0/65548\nGET /b 200 0/0\n"},
	{"until close",
	 {SERVER, I(GET("a")), E("HTTP/1.0 200 OK\r\n\r\nabc"), ES(1000), EF, CLOSED},
	 "GET /a 200 0/1003\n"},
	{"until close, the close being the end",
	 {SERVER, I(GET("a")), E("HTTP/1.0 200 OK\r\n\r\nabc"), CLOSED},
	 "GET /a 200 0/3\n"},
	{"until close, reset",
	 {SERVER, I(GET("a")), E("HTTP/1.0 200 OK\r\n\r\nabc"), RESET},
	 "GET /a 200 connection_reset 0/3\n"},
	{"closed before a response",
	 {SERVER, I(GET("a")), IF, EF, CLOSED},
	 "GET /a 0 connection_closed 0/0\n"},
	{"reset before a response",
	 {SERVER, I(GET("a") GET("b")), RESET},
	 "GET /a 0 connection_reset 0/0\nGET /b 0 connection_reset 0/0\n"},
	{"closed in the middle of a response",
	 {SERVER, I(GET("a")), E(OK("9") "abc"), CLOSED},
	 "GET /a 200 connection_closed 0/3\n"},
	{"reset in the middle of a response",
	 {SERVER, I(GET("a")), E(OK("90000") "abc"), ES(60000), RESET},
	 "GET /a 200 connection_reset 0/60003\n"},
	{"closed in the middle of an upload",
	 {SERVER, I(POST5("a") "ab"), CLOSED},
	 "POST /a 0 connection_closed 2/0\n"},
	{"answered before the upload has ended",
	 {SERVER, I("POST /a HTTP/1.1\r\nContent-Length: 99999\r\n\r\nab"), E(S("413")), EF,
	  CLOSED},
	 "POST /a 413 2/0\n"},
	{"408: the head had not ended",
	 {SERVER, I("GET /slow HTTP/1.1\r\nHost: h\r\nX:"), E(S("408")), EF, CLOSED},
	 "GET /slow 408 0/0\n"},
	{"400 to malformed bytes makes them a request",
	 {SERVER, I("\1\2\3\r\n\r\n"), E(S("400")), EF, CLOSED},
	 "_OTHER  400 0/0\n"},
	{"so does 200", {SERVER, I("G\t/\r\n\r\n"), E(S("200")), EF, CLOSED}, "_OTHER  200 0/0\n"},
	{"408 on an idle connection answers no request", {SERVER, E(S("408")), EF, CLOSED}, ""},
	{"431 to a head over the limit: the connection goes on",
	 {SERVER, I("GET /big HTTP/1.1\r\nCookie: a"), IS(40000), E(S("431")), I("b\r\n\r\n"),
	  I(GET("b")), E(S("200")), CLOSED},
	 "GET /big 431 0/0\nGET /b 200 0/0\n"},
	{"a malformed response",
	 {SERVER, I(GET("a")), E(CHUNKED "xyz\r\n"), CLOSED},
	 "GET /a 200 malformed_response 0/0\n"},
	{"requests of kube-probe are marked",
	 {SERVER, I("GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.33\r\n\r\n"), E(S("200")),
	  CLOSED},
	 "GET /healthz 200 0/0 probe\n"},
	{"requests to a kube-probe are not",
	 {CLIENT, E("GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.33\r\nHost: p\r\n\r\n"),
	  I(S("200")), CLOSED},
	 "client p:40000 GET /healthz 200 0/0\n"},
	{"as client: the server address",
	 {CLIENT, E("GET /a HTTP/1.1\r\nHost: Api.example:8080\r\n\r\n"), I(OK("3") "abc"),
	  E(POST5("b") "12345"), I(S("500")), CLOSED},
	 "client api.example:40000 GET /a 200 0/3\nclient h:40000 POST /b 500 5/0\n"},
	{"open requests at the end did not fail", {SERVER, I(GET("a")), CUT}, ""},
	{"muted with a request open", {SERVER, I(GET("a")), MUTED}, ""},
	{"events after the end start a new connection",
	 {SERVER, I(GET("a")), E(S("200")), CLOSED, I(GET("b")), E(S("201")), CLOSED},
	 "GET /a 200 0/0\nGET /b 201 0/0\n"},
	{"close of nothing", {CLOSED, RESET, MUTED, CUT}, ""},
};

static const struct script joined[] = {
	{"server, by the first request",
	 {OLDER, I(GET("a")), E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"client, by the first request",
	 {OLDER, E(GET("a")), I(S("200")), CLOSED},
	 "client h:40000 GET /a 200 0/0\n"},
	{"server, by a response; the request came before the capture",
	 {OLDER, E(S("200")), I(GET("b")), E(S("201")), CLOSED},
	 "GET /b 201 0/0\nunpaired 1\n"},
	{"client, by a response",
	 {OLDER, I(S("200")), E(GET("b")), I(S("201")), CLOSED},
	 "client h:40000 GET /b 201 0/0\nunpaired 1\n"},
	{"in a body: bytes are ignored until a message begins",
	 {OLDER, E("ello</html>"), ES(500), I(GET("b")), E(S("201")), CLOSED},
	 "GET /b 201 0/0\n"},
	{"no OPEN at all", {I(GET("a")), E(S("200")), CLOSED}, "GET /a 200 0/0\n"},
	{"OPEN comes late and decides",
	 {E("\x01"), SERVER, I(GET("a")), E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"OPEN contradicts the detected role: the role stays",
	 {I(GET("a")), CLIENT, E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"a second, contradicting OPEN is ignored",
	 {SERVER, CLIENT, I(GET("a")), E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"never HTTP", {OLDER, I("\x01\x02\x03"), E("SSH-2.0-x\r\n"), CLOSED}, ""},
};

static void test_complete(void **state)
{
	(void)state;
	script_run_all(complete, sizeof(complete) / sizeof(*complete), false);
}

/* A source without positions of the other direction gives the same result, as long as nothing is
 * lost. */
static void test_complete_without_peer(void **state)
{
	(void)state;
	script_run_all(complete, sizeof(complete) / sizeof(*complete), true);
}

static void test_joined(void **state)
{
	(void)state;
	script_run_all(joined, sizeof(joined) / sizeof(*joined), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_complete_without_peer),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
