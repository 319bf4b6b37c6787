/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/not_http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "export/unseen.h"
#include "wire.h"

#define BYTES(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

#define STARTUP	 "\0\0\0\x10\0\3\0\0user\0a\0\0"
#define GREETING "\x4a\0\0\0\n8.0.36\0"

static const struct row {
	const char *why;
	struct span data;
	bool is_from_client;
	enum not_http want;
} rows[] = {
	{"PostgreSQL 3.0", BYTES(STARTUP), true, NOT_HTTP_POSTGRESQL},
	{"it asks for TLS", BYTES("\0\0\0\x8\4\xd2\x16\x2f"), true, NOT_HTTP_POSTGRESQL},
	{"it cancels", BYTES("\0\0\0\x10\4\xd2\x16\x2e\0\0\0\1\0\0\0\1"), true,
	 NOT_HTTP_POSTGRESQL},
	{"a length with another code", BYTES("\0\0\0\x10\0\2\0\0user\0a\0\0"), true, NOT_HTTP_NONE},
	{"HTTP/2 without its preface", BYTES("\0\0\0\4\0\0\0\0\0"), true, NOT_HTTP_NONE},
	{"SETTINGS of a server", BYTES("\0\0\0\4\0\0\0\0\0"), false, NOT_HTTP_NONE},
	{"an array of RESP", BYTES("*3\r\n$3\r\nSET\r\n"), true, NOT_HTTP_REDIS},
	{"the target of OPTIONS is no first byte", BYTES("* HTTP/1.1\r\n"), true, NOT_HTTP_NONE},
	{"redis without an array", BYTES("PING\r\n"), true, NOT_HTTP_REDIS},
	{"an unknown method", BYTES("PING / HTTP/1.1\r\n"), true, NOT_HTTP_NONE},
	{"memcached", BYTES("get key\r\n"), true, NOT_HTTP_MEMCACHED},
	{"a method in small letters", BYTES("get / HTTP/1.1\r\n"), true, NOT_HTTP_NONE},
	{"MongoDB", BYTES("\x20\0\0\0\1\0\0\0\0\0\0\0\xdd\7\0\0\0\0\0\0"), true, NOT_HTTP_MONGODB},
	{"MQTT 3.1.1", BYTES("\x10\x0c\0\4MQTT\4\2\0\x3c\0\0"), true, NOT_HTTP_MQTT},
	{"MQTT with a longer length", BYTES("\x10\x8c\1\0\4MQTT\5\2"), true, NOT_HTTP_MQTT},
	{"AMQP", BYTES("AMQP\0\0\x9\1"), true, NOT_HTTP_AMQP},
	{"SSH, the client first", BYTES("SSH-2.0-OpenSSH_9.2\r\n"), true, NOT_HTTP_SSH},
	{"SSH, the server first", BYTES("SSH-2.0-OpenSSH_9.2\r\n"), false, NOT_HTTP_SSH},
	{"MySQL", BYTES(GREETING), false, NOT_HTTP_MYSQL},
	{"SMTP", BYTES("220 mail ESMTP\r\n"), false, NOT_HTTP_FTP_OR_MAIL},
	{"an IMAP server", BYTES("* OK ready\r\n"), false, NOT_HTTP_FTP_OR_MAIL},
	{"a response", BYTES("HTTP/1.1 200 OK\r\n"), false, NOT_HTTP_NONE},
	{"a request", BYTES("GET / HTTP/1.1\r\n"), true, NOT_HTTP_NONE},
	{"the preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), true, NOT_HTTP_NONE},
	{"an empty line before a request", BYTES("\r\nGET / HTTP/1.1\r\n"), true, NOT_HTTP_NONE},
};

static void test_first_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		enum not_http got = not_http_detect(r->data, r->is_from_client);

		if (got != r->want)
			fail_msg("%s: %s", r->why, not_http_name(got));
		/* No prefix is recognised as another protocol. */
		for (size_t n = 1; n < r->data.len; n++) {
			got = not_http_detect((struct span){r->data.ptr, n}, r->is_from_client);
			if (got != r->want && got != NOT_HTTP_NONE)
				fail_msg("%s: %s of %zu bytes", r->why, not_http_name(got), n);
		}
	}
}

static struct engine *engine(void)
{
	const char *error;
	struct engine *e =
		engine_new(&(struct engine_options){.conn_cap = 10, .route_cap = 10}, &error);

	assert_non_null(e);
	return e;
}

/* As client and as server: counted once by name, and never as malformed HTTP. */
static void test_counted_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int is_server = 0; is_server < 2 && rows[i].want; is_server++) {
			struct engine *e = engine();
			uint64_t now = 1;
			struct wire w = wire_new(e, &now, 1);
			bool is_ingress = rows[i].is_from_client == (is_server == 1);
			enum dir dir = is_ingress ? DIR_INGRESS : DIR_EGRESS;
			const struct engine_stats *stats;

			wire_open(&w, is_server ? ROLE_SERVER : ROLE_CLIENT);
			for (int round = 0; round < 4; round++) {
				wire_record(&w, dir, rows[i].data, 0, false, false);
				wire_record(&w, dir_other(dir), rows[i].data, 7, false, false);
			}
			stats = engine_stats(e);
			assert_int_equal(stats->conns_not_http[rows[i].want], 1);
			for (int why = 0; why < PARSE_FAIL_MAX; why++)
				if (stats->parse_failed[why])
					fail_msg("%s: counted as a failure %d", rows[i].why, why);
			assert_int_equal(stats->transactions, 0);
			engine_free(e);
		}
	}
}

static void test_reasons(void **state)
{
	static const struct {
		struct engine_stats stats;
		const char *want;
		struct no_requests_world world;
		enum no_requests reason;
	} lines[] = {
		{{0},
		 "no HTTP requests seen: no connections that carried data",
		 {0},
		 NO_REQUESTS_NO_CONNECTION},
		{{0},
		 "no HTTP requests seen: 2 connections, none of which has carried data",
		 {.opened = 2},
		 NO_REQUESTS_NO_DATA},
		{{0},
		 "no HTTP requests seen: 1 connection, which has not carried data; 2 sockets whose "
		 "traffic passes no hook",
		 {.opened = 1, .unseen = 2},
		 NO_REQUESTS_UNSEEN},
		{{.conns_total = 3, .conns_muted[SL_MUTE_TLS] = 3},
		 "no HTTP requests seen: 3 connections, all TLS",
		 {.opened = 4},
		 NO_REQUESTS_TLS},
		{{.conns_total = 1, .conns_muted[SL_MUTE_TLS] = 1},
		 "no HTTP requests seen: 1 connection, TLS",
		 {0},
		 NO_REQUESTS_TLS},
		{{.conns_total = 3,
		  .conns_muted[SL_MUTE_TLS] = 1,
		  .tls.failed = {[TLS_FAIL_NO_SECRET] = 1, [TLS_FAIL_JOINED] = 1}},
		 "no HTTP requests seen: 3 connections, all TLS",
		 {0},
		 NO_REQUESTS_TLS},
		{{.conns_total = 4, .conns_not_http[NOT_HTTP_POSTGRESQL] = 4},
		 "no HTTP requests seen: 4 connections, all look like PostgreSQL",
		 {0},
		 NO_REQUESTS_NOT_HTTP},
		{{.conns_total = 1, .conns_not_http[NOT_HTTP_REDIS] = 1},
		 "no HTTP requests seen: 1 connection, looks like redis",
		 {0},
		 NO_REQUESTS_NOT_HTTP},
		{{.conns_total = 9,
		  .conns_not_http[NOT_HTTP_REDIS] = 4,
		  .conns_muted[SL_MUTE_TLS] = 3,
		  .lost[ENGINE_LOST_MEMORY] = 1},
		 "no HTTP requests seen: 9 connections, 4 look like redis, 3 TLS, 2 with no "
		 "complete HTTP request; 1 request lost",
		 {0},
		 NO_REQUESTS_INCOMPLETE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct text out;

		text_init(&out);
		unseen_add(&out, &lines[i].stats, &lines[i].world);
		assert_string_equal(out.ptr, lines[i].want);
		assert_int_equal(no_requests_reason(&lines[i].stats, &lines[i].world),
				 lines[i].reason);
		text_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_counted_by_name),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
