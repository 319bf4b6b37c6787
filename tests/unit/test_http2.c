/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 and gRPC, from frames to transactions: scripts (http2_script.h) as they are, and with
 * records cut into segments of one, nine and ten bytes, with and without the marks of the BPF
 * programs on frame starts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http2_script.h"

struct row {
	const char *why;
	const char *script;
	const char *want;
};

#define BEGIN	"open server\nc P | S\ns S\n"
#define GRPC	":method=POST :scheme=http :path=/pkg.S/M content-type=application/grpc te=trailers"
#define HEAD	"s H1 :status=200 content-type=application/grpc\n"
#define REQUEST BEGIN "c H1 " GRPC "\nc M1e 3\n"

static const struct row rows[] = {
	{"a request without body",
	 BEGIN "c H1e :method=GET :scheme=http :path=/users/123?x=1\n"
	       "s H1 :status=200\ns D1e 5\n",
	 "GET /users/{id} 200 0/5\n"},
	{"everything of a call in one record for each side",
	 "open server\nc P | S | W | H1 " GRPC " | M1e 3\n"
	 "s S | W | H1 :status=200 content-type=application/grpc | M1 2 | H1e grpc-status=0\n",
	 "rpc pkg.S/M OK 1/1\n"},
	{"the server speaks first",
	 "open server\ns S\nc P | S | H1e :method=GET :path=/\ns H1e :status=204\n",
	 "GET / 204 0/0\n"},
	{"what the client's end sees",
	 "open client\nc P | S | H1e :method=GET :path=/ :authority=a.b:80\ns S\n"
	 "s H1e :status=404\n",
	 "client GET / 404 0/0\n"},
	{"streams end in any order",
	 BEGIN "c H1e :method=GET :path=/a | H3e :method=GET :path=/b\nc H5e :method=PUT :path=/c\n"
	       "s H5e :status=201 | H3 :status=200\ns H1e :status=202\ns D3e 1\n",
	 "PUT /c 201 0/0\nGET /a 202 0/0\nGET /b 200 0/1\n"},
	{"padding is no body, priority no header",
	 BEGIN "c H1pr :method=POST :path=/x\nc D1p 10 | D1pe 4\ns H1p :status=200\ns D1pe 6\n",
	 "POST /x 200 14/6\n"},
	{"a header block over several frames",
	 BEGIN "c H1ec :method=GET :path=/x cookie=*300\ns H1c :status=200 x=*500 | D1e 1\n",
	 "GET /x 200 0/1\n"},
	{"64 KiB of metadata",
	 BEGIN "c H1e :method=GET :path=/x a=*32768 b=*32768\ns H1e :status=200\n",
	 "GET /x 200 0/0\n"},
	{"a header block over the limit costs the table, not the connection",
	 BEGIN "c H1e :method=GET :path=/x a=b\n"
	       "c H3e :method=GET :path=/x c=*65000 d=*65000\n"
	       "c H5e :method=GET :path=/x a=b\n"
	       "s H1e :status=200\ns H3e :status=200\ns H5e :status=200\n",
	 "GET /x 200 0/0\nunknown unknown 200 0/0\nGET /x 200 0/0\nunknown 2 large 1\n"},
	{"interim responses are not the answer",
	 BEGIN "c H1 :method=POST :path=/x expect=100-continue\ns H1 :status=100\nc D1e 3\n"
	       "s H1 :status=103 link=x\ns H1 :status=200\ns D1e 2\n",
	 "POST /x 200 3/2\n"},
	{"trailers of HTTP",
	 BEGIN
	 "c H1 :method=POST :path=/x | D1 3 | H1e sum=1\ns H1 :status=200 | D1 2 | H1e sum=2\n",
	 "POST /x 200 3/2\n"},
	{"an answer before the request has ended",
	 BEGIN "c H1 :method=POST :path=/x\nc D1 3\ns H1e :status=413 | R1 0\nc D1 8 | D1e 1\n",
	 "POST /x 413 3/0\n"},
	{"frames of stream 0, and frames of unknown types",
	 BEGIN "c X1 | I | W1 | H1e :method=GET :path=/x\ns I | X3 | W3 | G\ns H1e :status=200\n",
	 "GET /x 200 0/0\n"},
	{"pushes are left out, but what they add to the table is not",
	 BEGIN "c H1e :method=GET :path=/x\n"
	       "s U1 :method=GET :path=/pushed server=me\ns H1 :status=200 server=me | D1e 1\n"
	       "s H2 :status=200 server=me | D2e 7\nc H3e :method=GET :path=/y\n"
	       "s H3e :status=200 server=me\n",
	 "GET /x 200 0/1\nGET /y 200 0/0\n"},
	{"the client gives up",
	 BEGIN "c H1e :method=GET :path=/x\nc R1 8\ns H1 :status=200\n"
	       "c H3e :method=GET :path=/y\ns H3e :status=200\n",
	 "GET /x 0 request_cancelled 0/0\nGET /y 200 0/0\n"},
	{"the server resets", BEGIN "c H1e :method=GET :path=/x\ns H1 :status=200\ns R1 2\n",
	 "GET /x 200 stream_reset 0/0\n"},
	{"the connection is closed, or reset, before the response has ended",
	 BEGIN "c H1e :method=GET :path=/x | H3e :method=GET :path=/y\ns H3 :status=200 | D3 9\n"
	       "close\n",
	 "GET /x 0 connection_closed 0/0\nGET /y 200 connection_closed 0/9\n"},
	{"the source ends: nothing has failed", BEGIN "c H1e :method=GET :path=/x\nend\n", ""},
	{"a response head completes CONNECT; the bytes after it are not HTTP",
	 BEGIN "c H1 :method=CONNECT :authority=a:1\ns H1 :status=200\nc D1 5\ns D1e 9\n",
	 "CONNECT {authority} 200 0/0\n"},
	{"a WebSocket likewise, by its path (RFC 8441)",
	 BEGIN "c H1 :method=CONNECT :protocol=websocket :path=/chat\ns H1 :status=200\nc D1 5\n"
	       "s D1 9\nclose\n",
	 "CONNECT /chat 200 0/0\n"},
	{"a kubelet's probe",
	 BEGIN "c H1e :method=GET :path=/healthz user-agent=kube-probe/1.30\ns H1e :status=200\n",
	 "GET /healthz 200 0/0 probe\n"},
	{"a body that is not copied",
	 BEGIN "c H1e :method=GET :path=/x\ns H1 :status=200\n~s D1 16384\n~s D1e 100000\n",
	 "GET /x 200 0/116384\n"},
	{"malformed frames end the connection's synchronisation",
	 BEGIN "c H1e :method=GET :path=/x\nc D0 4\ns H1e :status=200\n",
	 "GET /x 200 0/0\nframe 1\n"},

	{"gRPC: the status comes in trailers",
	 REQUEST HEAD "s M1 2\ns H1e grpc-status=5 grpc-message=x\n",
	 "rpc pkg.S/M NOT_FOUND 1/1\n"},
	{"trailers only",
	 REQUEST "s H1e :status=200 content-type=application/grpc grpc-status=12\n",
	 "rpc pkg.S/M UNIMPLEMENTED 1/0\n"},
	{"a status that has no name", REQUEST HEAD "s H1e grpc-status=42\n",
	 "rpc pkg.S/M 42 1/0\n"},
	{"streaming in both directions",
	 BEGIN "c H1 " GRPC "\nc M1 3 | M1 0\n" HEAD "s M1 1\nc M1 70000\ns M1 1 | M1 1\nc D1e 0\n"
	       "s H1e grpc-status=0\n",
	 "rpc pkg.S/M OK 3/3\n"},
	{"the caller cancels", REQUEST HEAD "s M1 4\nc R1 8\ns M1 4\n",
	 "rpc pkg.S/M CANCELLED request_cancelled 1/1\n"},
	{"the server refuses the stream", REQUEST "s R1 7\n",
	 "rpc pkg.S/M UNAVAILABLE stream_reset 1/0\n"},
	{"the server has enough", REQUEST HEAD "s R1 11\n",
	 "rpc pkg.S/M RESOURCE_EXHAUSTED stream_reset 1/0\n"},
	{"a proxy answers instead", REQUEST "s H1 :status=503 content-type=text/plain\ns D1e 5\n",
	 "rpc pkg.S/M UNAVAILABLE 1/0\n"},
	{"a response that has no status", REQUEST HEAD "s D1e 0\n", "rpc pkg.S/M UNKNOWN 1/0\n"},
	{"the connection is lost", REQUEST HEAD "reset\n",
	 "rpc pkg.S/M UNAVAILABLE connection_reset 1/0\n"},
	{"messages that begin among bytes that were not copied",
	 REQUEST HEAD "s M1 10\n~s M1 100000\ns M1 2\n~s D1 100000\ns H1e grpc-status=0\n",
	 "rpc pkg.S/M OK 1/3 uncounted\n"},
	{"Upgrade: h2c, from HTTP/1.1: the request is stream 1",
	 "open server\nc Tupgrade\ns Taccept\nc P | S\ns S | H1 :status=200 | D1e 4\n"
	 "c H3e :method=GET :path=/x\ns H3e :status=204\nclose\n",
	 "GET /up 200 0/4\nGET /x 204 0/0\n"},
	{"the same, and the first frames come with the 101",
	 "open server\nc Tupgrade\ns Taccept | S | H1e :status=404\nc P | S | H3e :method=GET "
	 ":path=/x\n"
	 "s H3e :status=204\nclose\n",
	 "GET /up 404 0/0\nGET /x 204 0/0\n"},
	{"the upgrade that the server does not want", "open server\nc Tupgrade\nclose\n",
	 "GET /up 0 connection_closed 0/0\n"},
	{"no method of gRPC has such a path",
	 BEGIN "c H1e :method=POST :path=/nothing content-type=application/grpc\n"
	       "s H1e :status=200 grpc-status=12\n",
	 "rpc {invalid} UNIMPLEMENTED 0/0\n"},
};

static void test_rows(void **state)
{
	static const size_t lengths[] = {0, 1, 9, 10, 100};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t p = 0; p < 4 * sizeof(lengths) / sizeof(*lengths); p++) {
			struct script s = {.segment = lengths[p / 4], .has_flags = p % 2};

			script_begin(&s, i + 1, p & 2);
			script_run(&s, rows[i].script);
			if (strcmp(s.log.ptr, rows[i].want) != 0)
				fail_msg("%s (segments of %zu, flags %zu, target %zu)\n%s",
					 rows[i].why, lengths[p / 4], p % 2, p / 2 % 2, s.log.ptr);
			script_finish(&s);
		}
	}
}

/* Lost records, and connections older than the capture; the BPF programs mark frame starts. */
static const struct row gaps[] = {
	{"a request that was never seen",
	 BEGIN "!c H1e :method=GET :path=/x\ns H1e :status=200\nc H3e :method=GET :path=/y\n"
	       "s H3e :status=200\n",
	 "GET /y 200 0/0\n"},
	{"a lost response: its call did not fail, its status is unknown",
	 BEGIN "c H1e :method=GET :path=/x\n!s H1e :status=200\nc H3e :method=GET :path=/y\n"
	       "s H3e :status=204\nclose\n",
	 "GET /y 204 0/0\nlost 1\n"},
	{"a lost response head: the end alone tells nothing of HTTP",
	 BEGIN "c H1e :method=GET :path=/x\n!s H1 :status=200\ns D1e 3\nclose\n", "lost 1\n"},
	{"a lost response head of gRPC: trailers tell all",
	 REQUEST "!s H1 :status=200\ns M1 4\ns H1e grpc-status=7\n",
	 "rpc pkg.S/M PERMISSION_DENIED 1/1\n"},
	{"bytes lost inside of a body, but not its end",
	 BEGIN "c H1e :method=GET :path=/x\ns H1 :status=200 | D1 100\n!s D1 100\ns D1e 5\nclose\n",
	 "GET /x 200 0/105\n"},
	{"a lost record that held the end of a body that began before",
	 BEGIN "c H1e :method=GET :path=/x\ns H1 :status=200\n!s D1e 5\nclose\n", "lost 1\n"},
	{"after a lost block, fields are unknown until they are sent again",
	 BEGIN "c H1e :method=GET :path=/x a=b\n!c H3e :method=GET :path=/x c=d\n"
	       "c H5e :method=GET :path=/x a=b\nc H7e :method=GET :path=/x e=f\n"
	       "c H9e :method=GET :path=/x e=f\n"
	       "s H1e :status=200\ns H5e :status=200\ns H7e :status=200\ns H9e :status=200\n",
	 "GET /x 200 0/0\nGET /x 200 0/0\nGET /x 200 0/0\nGET /x 200 0/0\nunknown 1\n"},
	{"a reset after a loss: the call may have ended before",
	 BEGIN "c H1e :method=GET :path=/x\n!s H1e :status=200\ns W0\nc R1 8\n", "lost 1\n"},
	{"joined: gRPC is recognised by its messages, methods are known once sent again",
	 "open unknown\n!c P | S | H1 " GRPC " | M1e 3\n!s S | H1 :status=200 "
	 "content-type=application/grpc | M1 3 | H1e grpc-status=0\n"
	 "c H3 " GRPC " | M3e 3\ns H3 :status=200 content-type=application/grpc | M3 3\n"
	 "s H3e grpc-status=0\n"
	 "c H5 " GRPC " | M5e 3\ns H5 :status=200 content-type=application/grpc | M5 3\n"
	 "s H5e grpc-status=9\n",
	 "rpc pkg.S/M unknown 1/1\nrpc pkg.S/M unknown 1/1\nunknown 8\n"},
	{"joined: responses to requests that were not seen",
	 "open unknown\n!c P | S | H1e :method=GET :path=/x\ns S | H1e :status=200\n"
	 "c H3e :method=GET :path=/y | W\ns H3e :status=200\n",
	 "GET /y 200 0/0\nunpaired 1\n"},
	{"joined, from the client's end",
	 "open unknown\n!s P | S\n!c S\ns H3e :method=GET :path=/y | W\n"
	 "c H3e :status=204 | W\n",
	 "client GET /y 204 0/0\n"},
};

static void test_gaps(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(gaps) / sizeof(*gaps); i++) {
		struct script s = {.has_flags = true};

		script_begin(&s, i + 1, i % 2);
		script_run(&s, gaps[i / 2].script);
		if (strcmp(s.log.ptr, gaps[i / 2].want) != 0)
			fail_msg("%s\n%s", gaps[i / 2].why, s.log.ptr);
		script_finish(&s);
	}
}

/* Over either version of HTTP it is counted as an HTTP request. */
static void test_grpc_web(void **state)
{
	struct script s = {.has_flags = true};

	(void)state;
	script_begin(&s, 1, false);
	script_run(&s, BEGIN "c H1e :method=POST :path=/pkg.S/M content-type=application/grpc-web\n"
			     "s H1e :status=200\n");
	s.wire.id = 2;
	wire_open(&s.wire, ROLE_SERVER);
	for (int i = 0; i < 2; i++) {
		wire_data(&s.wire, DIR_INGRESS,
			  "POST /pkg.S/M HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
			  "Content-Type: application/grpc-web-text+proto\r\n\r\n");
		wire_data(&s.wire, DIR_EGRESS, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	}
	assert_string_equal(s.log.ptr, "POST /pkg.S/M 200 0/0\nPOST /pkg.S/M 200 0/0\n"
				       "POST /pkg.S/M 200 0/0\n");
	assert_int_equal(engine_stats(s.wire.engine)->grpc_web_requests, 3);
	script_finish(&s);
}

struct answers {
	unsigned count;
	enum dir dir;
	uint32_t seq;
};

static void on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct answers *a = ctx;

	assert_int_equal(conn_id, 5);
	a->count++;
	a->dir = dir;
	a->seq = seq;
}

/* The answer to a record with SL_F_ASK is the first frame that starts in it or behind it. */
static void test_answers(void **state)
{
	static const struct {
		const char *why;
		struct span data;
		uint32_t ahead; /* of the start of this record */
		bool has_answer;
		uint32_t missing; /* bytes before it */
	} records[] = {
		{"no frame at all", {"\1\2\3\4\5\6\7\xb", 8}, 0, false, 0},
		{"frames behind other bytes; the last payload continues behind the record",
		 {"xy\0\0\4\x8\0\0\0\0\0\0\0\1\0\0\0\4\x8\0\0\0\0\0\0\0\1\0"
		  "\0\0\x32\0\0\0\0\0\1",
		  37},
		 87,
		 true,
		 0},
		{"the rest of that, but not all", {"0123456789", 10}, 50, true, 0},
		{"the last of it, and the first of a header",
		 {"0123456789012345678901234567890123456789\0\0", 42},
		 0,
		 false,
		 0},
		{"the rest of that frame, of four bytes",
		 {"\4\x8\0\0\0\0\0\0\0\1\0", 11},
		 11,
		 true,
		 0},
		{"a frame that starts with the record",
		 {"\0\0\4\x8\0\0\0\0\0\0\0\1\0", 13},
		 0,
		 true,
		 0},
		{"a frame that starts with the record, and is the first after a gap",
		 {"\0\0\4\x8\0\0\0\0\0\0\0\1\0\0\0\4\x8\0\0\0\0\0\0\0\1\0", 26},
		 0,
		 true,
		 100},
	};
	struct answers a = {0};
	const char *error;
	struct engine *e = engine_new(
		&(struct engine_options){
			.conn_cap = 10, .route_cap = 10, .on_frame = on_frame, .source_ctx = &a},
		&error);
	uint32_t seq = UINT32_MAX - 60;
	unsigned count = 0;

	(void)state;
	assert_non_null(e);
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		seq += records[i].missing;

		struct event ev = {.kind = EVENT_DATA,
				   .id = 5,
				   .time_ns = i + 1,
				   .data = {.dir = DIR_EGRESS,
					    .data = records[i].data,
					    .from_seq = seq,
					    .seq = seq,
					    .to_seq = seq + (uint32_t)records[i].data.len,
					    .wants_frame_start = true}};

		engine_event(e, &ev);
		count += records[i].has_answer;
		if (a.count != count || (records[i].has_answer && a.seq != seq + records[i].ahead))
			fail_msg("%s: %u answers, %u bytes ahead", records[i].why, a.count,
				 a.seq - seq);
		seq = ev.data.to_seq;
	}
	assert_int_equal(a.dir, DIR_EGRESS);
	engine_free(e);
}

/* --- random calls, random loss ------------------------------------------------------ */

#define CALLS 200

static uint64_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Calls sent: call i is stream 2 * i + 1, method M<i % 7>, status i % 17, i % 5 messages. */
struct truth {
	unsigned reported;
	unsigned known; /* methods */
	bool was_reported[CALLS];
	bool may_be_unknown;
};

static void check_call(void *ctx, const struct transaction *t)
{
	struct truth *truth = ctx;
	unsigned i = t->http.stream / 2;
	char method[16];

	assert_true(t->http.stream % 2 == 1 && i < CALLS && !truth->was_reported[i]);
	truth->was_reported[i] = true;
	truth->reported++;
	assert_true(t->protocol == TXN_GRPC || truth->may_be_unknown);
	if (t->protocol != TXN_GRPC) {
		/* It was not recognised as gRPC; its HTTP attributes still have to be right. */
		(void)snprintf(method, sizeof(method), "/pkg.S/M%u", i % 7);
		assert_true(strcmp(t->route, "unknown") == 0 || strcmp(t->route, method) == 0);
		assert_true(t->http.status == 200 || t->http.status == TXN_STATUS_UNKNOWN);
		return;
	}
	(void)snprintf(method, sizeof(method), "pkg.S/M%u", i % 7);
	if (strcmp(t->route, "unknown") != 0) {
		assert_string_equal(t->route, method);
		truth->known++;
	} else {
		assert_true(truth->may_be_unknown);
	}
	assert_true(t->grpc.status == i % 17 ||
		    (truth->may_be_unknown && t->grpc.status == GRPC_STATUS_HIDDEN));
	assert_true(t->grpc.messages[1] == i % 5 || truth->may_be_unknown);
	assert_true(t->error == TXN_OK);
}

static const struct txn_sink check_sink = {.done = check_call};

/* Calls of which up to ten are open at a time. Returns how many requests were seen. */
static unsigned run_calls(struct script *s, unsigned lost_of_1000, bool is_joined)
{
	unsigned step[CALLS] = {0};
	unsigned first = 0;
	unsigned seen = 0;

	script_run(s, is_joined ? "open unknown" : BEGIN);
	while (first < CALLS) {
		unsigned i = first + draw(10);
		unsigned number = i;
		const char *lose = draw(1000) < lost_of_1000 ? "!" : "";
		char line[300];

		if (i >= CALLS || step[i] == 99)
			continue;
		if (step[i] == 0) {
			(void)snprintf(line, sizeof(line),
				       "%sc H%u :method=POST :scheme=http :path=/pkg.S/M%u "
				       "content-type=application/grpc te=trailers n=%u%s",
				       lose, 2 * i + 1, i % 7, draw(30), draw(2) ? " | W" : "");
			seen += *lose == '\0';
		} else if (step[i] == 1) {
			(void)snprintf(line, sizeof(line), "%sc M%ue 3", lose, 2 * i + 1);
		} else if (step[i] == 2) {
			(void)snprintf(line, sizeof(line),
				       "%ss H%u :status=200 content-type=application/grpc x=%u",
				       lose, 2 * i + 1, draw(30));
		} else if (step[i] < 3 + number % 5) {
			(void)snprintf(line, sizeof(line), "%ss M%u %u", lose, 2 * i + 1,
				       draw(3) ? draw(100) : 0);
		} else {
			(void)snprintf(line, sizeof(line), "%ss H%ue grpc-status=%u", lose,
				       2 * i + 1, i % 17);
			step[i] = 98;
		}
		step[i]++;
		script_run(s, line);
		while (first < CALLS && step[first] == 99)
			first++;
	}
	return seen;
}

static void test_random_loss(void **state)
{
	static const struct {
		const char *why;
		unsigned lost_of_1000;
		bool is_joined;
		bool has_flags;
	} plans[] = {
		{"nothing is lost", 0, false, true},
		{"nothing is lost, and a capture file is read", 0, false, false},
		{"one record in a hundred", 10, false, true},
		{"one record in five", 200, false, true},
		{"one record in fifty of a capture file", 20, false, false},
		{"joined", 0, true, true},
		{"joined, and one record in fifty", 20, true, true},
	};

	(void)state;
	for (size_t p = 0; p < sizeof(plans) / sizeof(*plans); p++) {
		for (uint64_t run = 1; run <= 30; run++) {
			bool is_exact = !plans[p].lost_of_1000 && !plans[p].is_joined;
			struct truth truth = {.may_be_unknown = !is_exact};
			struct script s = {.has_flags = plans[p].has_flags};
			unsigned seen;
			uint64_t lost;

			seed = run;
			script_begin(&s, run, run % 2);
			(void)engine_add_sink(s.wire.engine, &check_sink, &truth);
			seen = run_calls(&s, plans[p].lost_of_1000, plans[p].is_joined);
			script_run(&s, "close");
			lost = wire_lost_count(s.wire.engine);
			assert_int_equal(engine_stats(s.wire.engine)->requests_open, 0);
			if (is_exact && (truth.reported != CALLS || truth.known != CALLS))
				fail_msg("%s, run %u: %u reported", plans[p].why, (unsigned)run,
					 truth.reported);
			/* Frame starts are known: each request that was seen is reported. */
			if (plans[p].has_flags && !plans[p].is_joined &&
			    truth.reported + lost != seen)
				fail_msg("%s, run %u: %u seen, %u reported, %u lost", plans[p].why,
					 (unsigned)run, seen, truth.reported, (unsigned)lost);
			if (truth.reported + lost > seen)
				fail_msg("%s, run %u: %u seen, %u reported, %u lost", plans[p].why,
					 (unsigned)run, seen, truth.reported, (unsigned)lost);
			script_finish(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	    cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_grpc_web),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_random_loss),
	};

	return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}
