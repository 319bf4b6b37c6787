/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in, transactions out: scripts of what one connection's records tell. A letter per step:
 * I and E are ingress and egress data, i and e the same in records that get lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bpf/event.h"
#include "wire.h"

#define STEPS 20

enum what { END, OPEN, DATA, LOSE, SKIP, LOSE_SKIP, FIN, CLOSE, MUTE, FLUSH };

struct step {
	enum what what;
	enum dir dir;
	const char *data;
	uint32_t n;
};

#define SERVER                                                                                     \
	{                                                                                          \
		OPEN, 0, NULL, ROLE_SERVER                                                         \
	}
#define CLIENT                                                                                     \
	{                                                                                          \
		OPEN, 0, NULL, ROLE_CLIENT                                                         \
	}
#define OLDER                                                                                      \
	{                                                                                          \
		OPEN, 0, NULL, ROLE_UNKNOWN                                                        \
	}
#define I(s)                                                                                       \
	{                                                                                          \
		DATA, DIR_INGRESS, s, 0                                                            \
	}
#define E(s)                                                                                       \
	{                                                                                          \
		DATA, DIR_EGRESS, s, 0                                                             \
	}
#define i(s)                                                                                       \
	{                                                                                          \
		LOSE, DIR_INGRESS, s, 0                                                            \
	}
#define e(s)                                                                                       \
	{                                                                                          \
		LOSE, DIR_EGRESS, s, 0                                                             \
	}
#define IS(n)                                                                                      \
	{                                                                                          \
		SKIP, DIR_INGRESS, NULL, n                                                         \
	}
#define ES(n)                                                                                      \
	{                                                                                          \
		SKIP, DIR_EGRESS, NULL, n                                                          \
	}
#define is(n)                                                                                      \
	{                                                                                          \
		LOSE_SKIP, DIR_INGRESS, NULL, n                                                    \
	}
#define es(n)                                                                                      \
	{                                                                                          \
		LOSE_SKIP, DIR_EGRESS, NULL, n                                                     \
	}
#define IF                                                                                         \
	{                                                                                          \
		FIN, DIR_INGRESS, NULL, 0                                                          \
	}
#define EF                                                                                         \
	{                                                                                          \
		FIN, DIR_EGRESS, NULL, 0                                                           \
	}
#define CLOSED                                                                                     \
	{                                                                                          \
		CLOSE, 0, NULL, 0                                                                  \
	}
#define RESET                                                                                      \
	{                                                                                          \
		CLOSE, 0, NULL, 1                                                                  \
	}
#define MUTED                                                                                      \
	{                                                                                          \
		MUTE, 0, NULL, SL_MUTE_UPGRADE                                                     \
	}
#define CUT                                                                                        \
	{                                                                                          \
		FLUSH, 0, NULL, 0                                                                  \
	}

#define GET(p)	 "GET /" p " HTTP/1.1\r\nHost: h\r\n\r\n"
#define HEAD(p)	 "HEAD /" p " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST5(p) "POST /" p " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
#define OK(n)	 "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"
#define S(code)	 "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"
#define CHUNKED	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define UPGRADE	 "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCH	 "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"

/* A client that is seen to wait for a response, and what is told of that. */
#define WAITER SERVER, I(GET("a")), E(S("200")), I(GET("b")), E(S("200"))
#define WAITED "GET /a 200 0/0\nGET /b 200 0/0\n"

struct script {
	const char *why;
	struct step steps[STEPS];
	const char *want;
};

static const struct script plain[] = {
	{"one request", {SERVER, I(GET("a")), E(OK("5") "hello"), CLOSED}, "GET /a 200 0/5\n"},
	{"keep-alive",
	 {SERVER, I(GET("a")), E(S("200")), I(POST5("b") "12345"), E(S("404")), CLOSED},
	 "GET /a 200 0/0\nPOST /b 404 5/0\n"},
	{"nothing is reported before the last byte of the response",
	 {SERVER, I(GET("a")), E(OK("5") "hell"), CUT},
	 ""},
	{"a body that nobody copied",
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
	{"1xx is not the answer",
	 {SERVER, I("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
	  E("HTTP/1.1 100 Continue\r\n\r\n"), I("abc"),
	  E("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" S("201")), CLOSED},
	 "POST /a 201 3/0\n"},
	{"101 ends HTTP",
	 {SERVER, I(UPGRADE), E(SWITCH), I("\x81\x05hello"), E(OK("2")), I(GET("x")), CLOSED},
	 "GET /ws 101 0/0\n"},
	{"the BPF programs say so, too",
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
	{"400 to what is no request makes it one",
	 {SERVER, I("\1\2\3\r\n\r\n"), E(S("400")), EF, CLOSED},
	 "  400 0/0\n"},
	{"200 does so, too", {SERVER, I("G\t/\r\n\r\n"), E(S("200")), EF, CLOSED}, "  200 0/0\n"},
	{"408 on an idle connection answers no request", {SERVER, E(S("408")), EF, CLOSED}, ""},
	{"431 to a head over the limit: followed on",
	 {SERVER, I("GET /big HTTP/1.1\r\nCookie: a"), IS(40000), E(S("431")), I("b\r\n\r\n"),
	  I(GET("b")), E(S("200")), CLOSED},
	 "GET /big 431 0/0\nGET /b 200 0/0\n"},
	{"a response that is none: malformed",
	 {SERVER, I(GET("a")), E(CHUNKED "xyz\r\n"), CLOSED},
	 "GET /a 200 malformed_response 0/0\n"},
	{"kube-probe is no traffic",
	 {SERVER, I("GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.33\r\n\r\n"), E(S("200")),
	  CLOSED},
	 "GET /healthz 200 0/0 probe\n"},
	{"kube-probe called by us is",
	 {CLIENT, E("GET /healthz HTTP/1.1\r\nUser-Agent: kube-probe/1.33\r\nHost: p\r\n\r\n"),
	  I(S("200")), CLOSED},
	 "client p:40000 GET /healthz 200 0/0\n"},
	{"the client's side: who is called",
	 {CLIENT, E("GET /a HTTP/1.1\r\nHost: Api.example:8080\r\n\r\n"), I(OK("3") "abc"),
	  E(POST5("b") "12345"), I(S("500")), CLOSED},
	 "client api.example:40000 GET /a 200 0/3\nclient h:40000 POST /b 500 5/0\n"},
	{"open requests at the end did not fail", {SERVER, I(GET("a")), CUT}, ""},
	{"muted with a request open", {SERVER, I(GET("a")), MUTED}, ""},
	{"events after the end make a new connection of it",
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
	{"server, by a response; the request was before our time",
	 {OLDER, E(S("200")), I(GET("b")), E(S("201")), CLOSED},
	 "GET /b 201 0/0\nunpaired 1\n"},
	{"client, by a response",
	 {OLDER, I(S("200")), E(GET("b")), I(S("201")), CLOSED},
	 "client h:40000 GET /b 201 0/0\nunpaired 1\n"},
	{"in a body: nothing is known until a message begins",
	 {OLDER, E("ello</html>"), ES(500), I(GET("b")), E(S("201")), CLOSED},
	 "GET /b 201 0/0\n"},
	{"no OPEN at all", {I(GET("a")), E(S("200")), CLOSED}, "GET /a 200 0/0\n"},
	{"OPEN comes late, and knows better than the first bytes",
	 {E("\x01"), SERVER, I(GET("a")), E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"OPEN contradicts what was found: requests do not change sides",
	 {I(GET("a")), CLIENT, E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"OPEN twice, the second a lie",
	 {SERVER, CLIENT, I(GET("a")), E(S("200")), CLOSED},
	 "GET /a 200 0/0\n"},
	{"never HTTP", {OLDER, I("\x01\x02\x03"), E("SSH-2.0-x\r\n"), CLOSED}, ""},
};

/* `1` counts as lost with its response, `never seen` is nowhere. */
static const struct script lossy[] = {
	{"a request: its response is nobody's",
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
	{"the end of an upload: its size is known all the same",
	 {SERVER, I(POST5("1")), i("12345"), E(S("201")), I(GET("2")), E(S("202")), CLOSED},
	 "POST /1 201 5/0\nGET /2 202 0/0\n"},
	{"inside a body: sizes are subtractions",
	 {SERVER, I(GET("1")), E(OK("10")), e("01234"), E("56789"), CLOSED},
	 "GET /1 200 0/10\n"},
	{"the end of a body: nobody knows when it ended",
	 {WAITER, I(GET("1")), E(OK("5")), e("01234"), I(GET("2")), E(S("202")), I(GET("3")),
	  E(S("203")), CLOSED},
	 WAITED "GET /3 203 0/0\nlost 2 unpaired 1\n"},
	{"... and the connection only closes",
	 {SERVER, I(GET("1")), E(OK("5")), e("01234"), EF, CLOSED},
	 "lost 1\n"},
	{"... news without bytes comes in time",
	 {SERVER, I(GET("1")), E(OK("9")), e("01234"), ES(4), I(GET("2")), E(S("202")), CLOSED},
	 "GET /1 200 0/9\nGET /2 202 0/0\n"},
	{"chunked framing",
	 {WAITER, I(GET("1")), E(CHUNKED "5\r\n"), e("hello\r\n"), E("0\r\n\r\n"), I(GET("2")),
	  E(S("202")), CLOSED},
	 WAITED "GET /2 202 0/0\nlost 1\n"},
	{"the last of it, then a reset: complete or not, nobody knows",
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

static struct engine *new_engine(void)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
	const char *error;
	struct engine *engine;

	engine = engine_new(&options, &error);
	assert_non_null(engine);
	return engine;
}

static const struct txn_sink sink = {.needs = TXN_NEED_TARGET, .done = wire_note};
static const struct txn_sink labels[2] = {
	{.needs = TXN_NEED_TARGET, .done = wire_note_labels},
	{.done = wire_note_labels},
};

static void play(struct wire *w, const struct step *s)
{
	switch (s->what) {
	case OPEN:
		wire_open(w, (enum role)s->n);
		break;
	case DATA:
		wire_data(w, s->dir, s->data);
		break;
	case LOSE:
		wire_lost(w, s->dir, s->data);
		break;
	case SKIP:
		wire_skip(w, s->dir, s->n);
		break;
	case LOSE_SKIP:
		wire_record(w, s->dir, span_of(""), s->n, false, true);
		break;
	case FIN:
		wire_fin(w, s->dir);
		break;
	case CLOSE:
		wire_close(w, s->n);
		break;
	case MUTE:
		wire_mute(w, s->n);
		break;
	case FLUSH:
		engine_flush(w->engine, ++*w->now_ns);
		break;
	case END:
		break;
	}
}

/* Plays the script in an engine of its own. */
static void play_all(const struct script *script, bool has_no_peer, const struct txn_sink *to,
		     struct text *text)
{
	struct engine *engine = new_engine();
	uint64_t now_ns = 1000;
	struct wire w = wire_new(engine, &now_ns, 1);

	w.has_no_peer = has_no_peer;
	text_clear(text);
	(void)engine_add_sink(engine, to, text);
	for (size_t j = 0; j < STEPS && script->steps[j].what != END; j++)
		play(&w, &script->steps[j]);
	wire_note_stats(text, engine);
	engine_free(engine);
}

/* As `replay` has it, and as `run` has it: what both know of transactions is the same. */
static void run(const struct script *scripts, size_t n, bool has_no_peer)
{
	struct text text[2];
	bool is_wrong = false;

	text_init(&text[0]);
	text_init(&text[1]);
	for (size_t k = 0; k < n; k++) {
		play_all(&scripts[k], has_no_peer, &sink, &text[0]);
		if (strcmp(text[0].ptr, scripts[k].want) != 0) {
			print_error("%s\ngot:\n%swant:\n%s", scripts[k].why, text[0].ptr,
				    scripts[k].want);
			is_wrong = true;
		}
		play_all(&scripts[k], has_no_peer, &labels[0], &text[0]);
		play_all(&scripts[k], has_no_peer, &labels[1], &text[1]);
		if (strcmp(text[0].ptr, text[1].ptr) != 0) {
			print_error("%s\nwith targets:\n%swithout:\n%s", scripts[k].why,
				    text[0].ptr, text[1].ptr);
			is_wrong = true;
		}
	}
	text_release(&text[0]);
	text_release(&text[1]);
	assert_false(is_wrong);
}

static void test_plain(void **state)
{
	(void)state;
	run(plain, sizeof(plain) / sizeof(*plain), false);
}

/* Sources that know nothing of the other direction see the same, as long as nothing is lost. */
static void test_plain_without_peer(void **state)
{
	(void)state;
	run(plain, sizeof(plain) / sizeof(*plain), true);
}

static void test_joined(void **state)
{
	(void)state;
	run(joined, sizeof(joined) / sizeof(*joined), false);
}

static void test_lossy(void **state)
{
	(void)state;
	run(lossy, sizeof(lossy) / sizeof(*lossy), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_without_peer),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_lossy),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
