/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts of the records of one connection, from events to transactions. A letter per step: I and E
 * are ingress and egress data, i and e the same in lost records. l: a record that seemed to be lost
 * comes after all. The result is the log of wire.h.
 */
#ifndef SIDELIGHT_TESTS_ENGINE_SCRIPT_H
#define SIDELIGHT_TESTS_ENGINE_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bpf/event.h"
#include "wire.h"

#define STEPS 20

enum what { END, OPEN, DATA, LOSE, LATE, SKIP, LOSE_SKIP, FIN, CLOSE, MUTE, FLUSH };

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
#define l(s)                                                                                       \
	{                                                                                          \
		LATE, DIR_INGRESS, s, 0                                                            \
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

struct script {
	const char *why;
	struct step steps[STEPS];
	const char *want;
};

static inline struct engine *script_engine(void)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
	const char *error;
	struct engine *engine;

	engine = engine_new(&options, &error);
	assert_non_null(engine);
	return engine;
}

static const struct txn_sink script_sink = {.needs = TXN_NEED_TARGET, .done = wire_log};
static const struct txn_sink script_label_sinks[2] = {
	{.needs = TXN_NEED_TARGET, .done = wire_log_labels},
	{.done = wire_log_labels},
};

static inline void script_play_step(struct wire *w, const struct step *s)
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
	case LATE:
		w->seq[s->dir] -= (uint32_t)strlen(s->data);
		w->reported[s->dir] = w->seq[s->dir];
		wire_data(w, s->dir, s->data);
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
static inline void script_play(const struct script *script, bool has_no_peer,
			       const struct txn_sink *to, struct text *text)
{
	struct engine *engine = script_engine();
	uint64_t now_ns = 1000;
	struct wire w = wire_new(engine, &now_ns, 1);

	w.has_no_peer = has_no_peer;
	text_clear(text);
	(void)engine_add_sink(engine, to, text);
	for (size_t j = 0; j < STEPS && script->steps[j].what != END; j++)
		script_play_step(&w, &script->steps[j]);
	wire_log_stats(text, engine);
	engine_free(engine);
}

/* With targets, as `replay` runs it, and without, as `run` does: transactions are otherwise equal.
 */
static inline void script_run_all(const struct script *scripts, size_t n, bool has_no_peer)
{
	struct text text[2];
	bool is_wrong = false;

	text_init(&text[0]);
	text_init(&text[1]);
	for (size_t k = 0; k < n; k++) {
		script_play(&scripts[k], has_no_peer, &script_sink, &text[0]);
		if (strcmp(text[0].ptr, scripts[k].want) != 0) {
			print_error("%s\ngot:\n%swant:\n%s", scripts[k].why, text[0].ptr,
				    scripts[k].want);
			is_wrong = true;
		}
		script_play(&scripts[k], has_no_peer, &script_label_sinks[0], &text[0]);
		script_play(&scripts[k], has_no_peer, &script_label_sinks[1], &text[1]);
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

#endif
