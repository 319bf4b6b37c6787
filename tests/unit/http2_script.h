/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 connections as scripts: a line is a record of the client (c) or server (s), of one or more
 * frames; header blocks are encoded by libnghttp2, with a table for each direction.
 *
 *     open server             the handshake was seen, and the observed end accepted ("client":
 *                             connected; "unknown": the connection is older)
 *     c P | S                 the client's preface and SETTINGS
 *     c H1e :method=GET       HEADERS of stream 1, with END_STREAM; further letters: p padded,
 *                             r with PRIORITY, c cut into CONTINUATION frames
 *     s D1 5 | M1e 7          DATA of 5 bytes; DATA that is one message of gRPC with 7 bytes
 *     c R1 8                  RST_STREAM with that code; G GOAWAY, W WINDOW_UPDATE, I PING,
 *                             X a frame of an unknown type, U1 PUSH_PROMISE
 *     !s D1e 3                likewise, but the record gets lost
 *     ~s D1e 100000           of the last frame only 16 bytes are copied, the rest is skipped
 *     c Tupgrade | s Taccept  a request of HTTP/1.1 that asks for h2c; the response that accepts
 *     close, reset, end       the connection is closed; the source ends
 *
 * The result is a log with one line per transaction, and a last line with counters:
 *
 *     client GET /x 200 0/5
 *     rpc pkg.S/M CANCELLED request_cancelled 1/0
 *     lost 1 unknown 3
 */
#ifndef SIDELIGHT_TESTS_UNIT_HTTP2_SCRIPT_H
#define SIDELIGHT_TESTS_UNIT_HTTP2_SCRIPT_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "proto/grpc.h"
#include "proto/http2_frame.h"
#include "wire.h"

#define SCRIPT_FIELDS 32

struct script {
	struct wire wire;
	uint64_t now_ns;
	size_t segment; /* records are cut into so many bytes; 0: not */
	size_t memory_cap; /* of the engine; 0: its default */
	bool has_flags; /* records say that they start with a frame, as the kernel's do */
	enum dir client; /* direction of the client's bytes */
	nghttp2_hd_deflater *deflater[2];
	struct text bytes; /* of the record at hand */
	struct text log;
};

static inline void script_on_done(void *ctx, const struct transaction *t)
{
	struct text *text = ctx;
	bool is_rpc = t->protocol == TXN_GRPC;
	char digits[GRPC_STATUS_SIZE];

	text_addf(text, "%s%s %s ", t->role == ROLE_CLIENT ? "client " : "",
		  is_rpc ? "rpc" : t->known_method, t->route);
	if (is_rpc)
		text_add(text, grpc_status_name(t->grpc.status, digits));
	else if (t->http.status == TXN_STATUS_UNKNOWN)
		text_add(text, "unknown");
	else
		text_addf(text, "%u", t->http.status);
	if (t->error)
		text_addf(text, " %s", txn_error_name(t->error));
	text_addf(text, " %llu/%llu%s%s\n",
		  (unsigned long long)(is_rpc ? t->grpc.messages[0] : t->request_bytes),
		  (unsigned long long)(is_rpc ? t->grpc.messages[1] : t->response_bytes),
		  is_rpc && t->grpc.has_uncounted ? " uncounted" : "", t->is_probe ? " probe" : "");
}

static inline void script_log_stats(struct text *text, struct engine *e)
{
	const struct engine_stats *s = engine_stats(e);
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"lost", wire_lost_count(e)},
		      {"unpaired", s->responses_unpaired},
		      {"open", s->requests_open},
		      {"unknown", s->http2_unknown_fields},
		      {"frame", s->parse_failed[PARSE_FAIL_FRAME]},
		      {"block", s->parse_failed[PARSE_FAIL_BLOCK]},
		      {"large", s->parse_failed[PARSE_FAIL_HEAD_TOO_LARGE]}};
	const char *space = "";

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		if (!counts[i].value)
			continue;
		text_addf(text, "%s%s %llu", space, counts[i].name,
			  (unsigned long long)counts[i].value);
		space = " ";
	}
	if (*space)
		text_add_char(text, '\n');
}

/* Indexed by wants_target: both logs are the same. */
static const struct txn_sink script_sinks[2] = {
	{.done = script_on_done},
	{.needs = TXN_NEED_TARGET, .done = script_on_done},
};

/* wants_target as `replay` has it when it lists requests; `run` has not. */
static inline void script_begin(struct script *s, uint64_t conn_id, bool wants_target)
{
	const struct engine_options options = {
		.conn_cap = 10, .route_cap = 100, .memory_cap = s->memory_cap};
	const char *error;
	struct engine *e = engine_new(&options, &error);

	if (!e || nghttp2_hd_deflate_new(&s->deflater[0], 4096) ||
	    nghttp2_hd_deflate_new(&s->deflater[1], 4096))
		abort();
	text_init(&s->bytes);
	text_init(&s->log);
	(void)engine_add_sink(e, &script_sinks[wants_target], &s->log);
	s->wire = wire_new(e, &s->now_ns, conn_id);
	s->client = DIR_INGRESS;
}

static inline void script_finish(struct script *s)
{
	engine_free(s->wire.engine);
	nghttp2_hd_deflate_del(s->deflater[0]);
	nghttp2_hd_deflate_del(s->deflater[1]);
	text_release(&s->bytes);
	text_release(&s->log);
}

/* A frame header. */
static inline void script_frame(struct text *out, size_t len, unsigned type, unsigned flags,
				uint32_t stream)
{
	const char head[HTTP2_FRAME_HEAD] = {
		(char)(len >> 16),    (char)(len >> 8),	   (char)len,
		(char)type,	      (char)flags,	   (char)(stream >> 24),
		(char)(stream >> 16), (char)(stream >> 8), (char)stream};

	text_add_span(out, (struct span){head, sizeof(head)});
}

static inline void script_fill(struct text *out, size_t len, char c)
{
	while (len--)
		text_add_char(out, c);
}

/* "name=value name=value", encoded. A value that is a number behind '*' is that many letters. */
static inline size_t script_block(nghttp2_hd_deflater *d, char *fields, uint8_t *out, size_t size)
{
	static char large[1 << 17];
	nghttp2_nv nv[SCRIPT_FIELDS];
	size_t count = 0;
	ssize_t n;

	for (char *f = strtok(fields, " "); f; f = strtok(NULL, " ")) {
		char *value = strchr(f, '=');

		*value++ = '\0';
		nv[count] =
			(nghttp2_nv){(uint8_t *)f, (uint8_t *)value, strlen(f), strlen(value), 0};
		if (*value == '*') {
			memset(large, 'Z', sizeof(large));
			nv[count].value = (uint8_t *)large;
			nv[count].valuelen = strtoul(value + 1, NULL, 10);
		}
		count++;
	}
	n = nghttp2_hd_deflate_hd(d, out, size, nv, count);
	if (n < 0)
		abort();
	return (size_t)n;
}

static inline void script_headers(struct script *s, enum dir dir, const char *letters,
				  uint32_t stream, char *fields, bool is_push)
{
	static uint8_t block[1 << 18];
	size_t n = script_block(s->deflater[dir], fields, block, sizeof(block));
	unsigned flags = strchr(letters, 'e') ? HTTP2_FLAG_END_STREAM : 0;
	size_t first = strchr(letters, 'c') || n > 16384 ? (n > 16384 ? 16000 : n / 2) : n;
	size_t pad = strchr(letters, 'p') ? 7 : 0;
	size_t extra = (pad ? 1 + pad : 0) + (strchr(letters, 'r') ? 5 : 0) + (is_push ? 4 : 0);

	flags |= (pad ? HTTP2_FLAG_PADDED : 0) | (strchr(letters, 'r') ? HTTP2_FLAG_PRIORITY : 0);
	flags |= first == n ? HTTP2_FLAG_END_HEADERS : 0;
	script_frame(&s->bytes, first + extra, is_push ? HTTP2_PUSH_PROMISE : HTTP2_HEADERS, flags,
		     stream);
	if (pad)
		text_add_char(&s->bytes, (char)pad);
	if (strchr(letters, 'r'))
		text_add_span(&s->bytes, (struct span){"\0\0\0\0\x10", 5});
	if (is_push)
		text_add_span(&s->bytes, (struct span){"\0\0\0\2", 4});
	text_add_span(&s->bytes, (struct span){(char *)block, first});
	script_fill(&s->bytes, pad, '\0');
	for (size_t at = first; at < n;) {
		size_t part = n - at > 16000 ? 16000 : n - at;

		script_frame(&s->bytes, part, HTTP2_CONTINUATION,
			     at + part == n ? HTTP2_FLAG_END_HEADERS : 0, stream);
		text_add_span(&s->bytes, (struct span){(char *)block + at, part});
		at += part;
	}
}

/* One frame, by its words; appended to s->bytes. */
static inline void script_word(struct script *s, enum dir dir, char *words)
{
	static const char upgrade[] = "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, "
				      "HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n";
	static const char accept[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
				     "Upgrade: h2c\r\n\r\n";
	char type = *words++;
	uint32_t stream = (uint32_t)strtoul(words, &words, 10);
	char letters[8] = "";
	size_t n;

	for (n = 0; isalpha((unsigned char)*words) && n < 7; words++)
		letters[n++] = *words;
	n = strtoul(words, NULL, 10);
	switch (type) {
	case 'P':
		text_add(&s->bytes, HTTP2_PREFACE);
		break;
	case 'T':
		text_add(&s->bytes, letters[0] == 'u' ? upgrade : accept);
		break;
	case 'S':
		script_frame(&s->bytes, 6, HTTP2_SETTINGS, 0, 0);
		text_add_span(&s->bytes, (struct span){"\0\3\0\0\0\x64", 6});
		break;
	case 'H':
	case 'U':
		script_headers(s, dir, letters, stream, words, type == 'U');
		break;
	case 'D':
	case 'M':
		script_frame(&s->bytes, n + (type == 'M' ? 5 : 0) + (strchr(letters, 'p') ? 4 : 0),
			     HTTP2_DATA,
			     (strchr(letters, 'e') ? HTTP2_FLAG_END_STREAM : 0) |
				     (strchr(letters, 'p') ? HTTP2_FLAG_PADDED : 0),
			     stream);
		if (strchr(letters, 'p'))
			text_add_char(&s->bytes, 3);
		if (type == 'M') {
			const char head[] = {0, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8),
					     (char)n};

			text_add_span(&s->bytes, (struct span){head, 5});
		}
		script_fill(&s->bytes, n, 'x');
		if (strchr(letters, 'p'))
			script_fill(&s->bytes, 3, '\0');
		break;
	case 'R':
		script_frame(&s->bytes, 4, HTTP2_RST_STREAM, 0, stream);
		text_add_span(&s->bytes, (struct span){(char[]){0, 0, 0, (char)n}, 4});
		break;
	case 'G':
		script_frame(&s->bytes, 8, HTTP2_GOAWAY, 0, 0);
		script_fill(&s->bytes, 8, '\0');
		break;
	case 'W':
		script_frame(&s->bytes, 4, HTTP2_WINDOW_UPDATE, 0, stream);
		script_fill(&s->bytes, 4, '\1');
		break;
	case 'I':
		script_frame(&s->bytes, 8, HTTP2_PING, 0, 0);
		script_fill(&s->bytes, 8, '\1');
		break;
	case 'X':
		script_frame(&s->bytes, 3, 0xbe, 0xff, stream);
		script_fill(&s->bytes, 3, '\1');
		break;
	default:
		abort();
	}
}

/* `data`, then `skip` bytes that were not copied, as one record. */
static inline void script_record(struct script *s, enum dir dir, struct span data, uint32_t skip,
				 bool is_frame, bool is_lost)
{
	struct wire *w = &s->wire;
	struct event ev = {
		.kind = EVENT_DATA,
		.data = {.dir = dir,
			 .data = data,
			 .from_seq = w->reported[dir],
			 .seq = w->seq[dir],
			 .to_seq = w->seq[dir] + (uint32_t)data.len + skip,
			 .is_frame = is_frame && s->has_flags},
	};

	w->seq[dir] = w->reported[dir] = ev.data.to_seq;
	++*w->now_ns;
	if (!is_lost)
		wire_event(w, &ev);
}

static inline void script_emit(struct script *s, enum dir dir, bool is_cut, bool is_lost)
{
	struct span data = text_span(&s->bytes);
	uint32_t skip = 0;
	size_t step = s->segment && !is_lost ? s->segment : data.len;

	if (is_cut) {
		skip = (uint32_t)data.len - HTTP2_FRAME_HEAD - 16;
		data.len -= skip;
	}
	for (size_t at = 0; at < data.len; at += step) {
		size_t n = data.len - at < step ? data.len - at : step;

		script_record(s, dir, (struct span){data.ptr + at, n},
			      at + n == data.len ? skip : 0, at == 0, is_lost);
	}
}

static inline void script_line(struct script *s, char *line)
{
	bool is_lost = *line == '!';
	bool is_cut = *line == '~';
	enum dir dir;

	line += is_lost || is_cut;
	if (strncmp(line, "open ", 5) == 0) {
		enum role role = line[5] == 's'	  ? ROLE_SERVER
				 : line[5] == 'c' ? ROLE_CLIENT
						  : ROLE_UNKNOWN;

		s->client = role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;
		wire_open(&s->wire, role);
		return;
	}
	if (strcmp(line, "close") == 0 || strcmp(line, "reset") == 0) {
		wire_close(&s->wire, *line == 'r');
		return;
	}
	if (strcmp(line, "end") == 0) {
		engine_flush(s->wire.engine, s->now_ns);
		return;
	}
	dir = *line == 'c' ? s->client : dir_other(s->client);
	text_clear(&s->bytes);
	for (char *word = line + 2; word;) {
		char *bar = strstr(word, " | ");

		if (bar)
			*bar = '\0';
		script_word(s, dir, word);
		word = bar ? bar + 3 : NULL;
	}
	script_emit(s, dir, is_cut, is_lost);
}

static inline void script_run(struct script *s, const char *lines)
{
	char *copy = strdup(lines);
	char *save;

	if (!copy)
		abort();
	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		script_line(s, l);
	free(copy);
	script_log_stats(&s->log, s->wire.engine);
}

#endif
