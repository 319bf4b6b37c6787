/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections as the BPF programs report them, without a kernel: each step is an event for an
 * engine, with sequence numbers and times as bpf/socket.bpf.c gives them, and any record may get
 * lost on the way. The result is a log with one line per transaction:
 *
 *     GET /x 200 0/5
 *     client POST /x 0 connection_closed 3/0
 *
 * (status, then bytes of the bodies of request and response), and what it counted in the last line,
 * as far as it is not zero: "lost 1 unpaired 2".
 */
#ifndef SIDELIGHT_TESTS_UNIT_WIRE_H
#define SIDELIGHT_TESTS_UNIT_WIRE_H

#include "base/text.h"
#include "txn/engine.h"

struct wire {
	struct engine *engine;
	uint64_t *now_ns; /* of all connections; each event takes one */
	uint64_t id;
	uint32_t seq[2]; /* end of what was seen, by enum dir */
	uint32_t reported[2]; /* end of what records reported of, lost ones included */
	uint32_t read; /* the program has read all that came in before it */
	uint32_t in_flight; /* of the other direction: seen, but the sender has not got it */
	bool has_no_peer; /* events as from a source that does not know peer_seq */
};

static inline struct wire wire_new(struct engine *e, uint64_t *now_ns, uint64_t id)
{
	/* Close to 2^32: it is crossed in many a test. */
	return (struct wire){.engine = e,
			     .now_ns = now_ns,
			     .id = id,
			     .seq = {UINT32_MAX - 50, UINT32_MAX - 300},
			     .reported = {UINT32_MAX - 50, UINT32_MAX - 300},
			     .read = UINT32_MAX - 50};
}

static inline void wire_event(struct wire *w, struct event *ev)
{
	ev->id = w->id;
	ev->time_ns = ++*w->now_ns;
	engine_event(w->engine, ev);
}

static inline void wire_open(struct wire *w, enum role role)
{
	struct event ev = {
		.kind = EVENT_OPEN,
		.open = {.role = role,
			 .container = 7,
			 .first_seq = {w->seq[0], w->seq[1]},
			 .has_first = {!w->has_no_peer, !w->has_no_peer},
			 .local = {.family = 4, .addr = {10, 0, 0, 1}, .port = 80},
			 .remote = {.family = 4, .addr = {10, 0, 0, 2}, .port = 40000}},
	};

	wire_event(w, &ev);
}

/* `data`, then `skip` bytes that were not copied. A record that is lost is only not handed over. */
static inline void wire_record(struct wire *w, enum dir dir, struct span data, uint32_t skip,
			       bool is_fin, bool is_lost)
{
	struct event ev = {
		.kind = EVENT_DATA,
		.data = {.dir = dir,
			 .data = data,
			 .from_seq = w->reported[dir],
			 .seq = w->seq[dir],
			 .to_seq = w->seq[dir] + (uint32_t)data.len + skip,
			 .tid = dir == DIR_EGRESS ? 99 : 0,
			 .tgid = dir == DIR_EGRESS ? 90 : 0,
			 .peer_seq = w->seq[dir_other(dir)] - w->in_flight,
			 .has_peer = !w->has_no_peer,
			 .is_fin = is_fin},
	};

	w->seq[dir] = w->reported[dir] = ev.data.to_seq;
	if (is_lost)
		++*w->now_ns;
	else
		wire_event(w, &ev);
}

static inline void wire_data(struct wire *w, enum dir dir, const char *data)
{
	wire_record(w, dir, span_of(data), 0, false, false);
}

static inline void wire_lost(struct wire *w, enum dir dir, const char *data)
{
	wire_record(w, dir, span_of(data), 0, false, true);
}

static inline void wire_skip(struct wire *w, enum dir dir, uint32_t len)
{
	wire_record(w, dir, span_of(""), len, false, false);
}

static inline void wire_fin(struct wire *w, enum dir dir)
{
	wire_record(w, dir, span_of(""), 0, true, false);
}

static inline void wire_close(struct wire *w, bool is_reset)
{
	struct event ev = {.kind = EVENT_CLOSE,
			   .close = {.is_reset = is_reset,
				     .to_seq = {w->seq[0], w->seq[1]},
				     .reported_seq = {w->reported[0], w->reported[1]},
				     .has_end = !w->has_no_peer}};

	wire_event(w, &ev);
}

/* The program has read all bytes that came in, but for so many. */
static inline void wire_read(struct wire *w, uint32_t left)
{
	struct event ev = {.kind = EVENT_READ, .read = {w->read, w->seq[DIR_INGRESS] - left}};

	w->read = ev.read.to_seq;
	wire_event(w, &ev);
}

static inline void wire_mute(struct wire *w, unsigned why)
{
	struct event ev = {.kind = EVENT_MUTE, .mute = why};

	wire_event(w, &ev);
}

/* A txn_sink's done(): ctx is a struct text. */
static inline void wire_log(void *ctx, const struct transaction *t)
{
	struct text *text = ctx;

	if (t->role == ROLE_CLIENT)
		text_addf(text, "client %s:%u ", t->server_address, t->server_port);
	text_addf(text, "%.*s %.*s %u", SPAN_ARG(txn_method(t)), SPAN_ARG(t->http.target),
		  t->http.status);
	if (t->error)
		text_addf(text, " %s", txn_error_name(t->error));
	text_addf(text, " %llu/%llu%s\n", (unsigned long long)t->request_bytes,
		  (unsigned long long)t->response_bytes, t->is_probe ? " probe" : "");
}

/* What is known of a transaction whether targets are kept or not; ctx is a struct text. */
static inline void wire_log_labels(void *ctx, const struct transaction *t)
{
	text_addf(ctx, "%d %s %s %s %u %u %llu/%llu\n", t->role, t->server_address, t->known_method,
		  t->route, t->http.status, t->error, (unsigned long long)t->request_bytes,
		  (unsigned long long)t->response_bytes);
}

static inline uint64_t wire_lost_count(struct engine *e)
{
	uint64_t sum = 0;

	for (int i = 0; i < ENGINE_LOST_MAX; i++)
		sum += engine_stats(e)->lost[i];
	return sum;
}

static inline void wire_log_stats(struct text *text, struct engine *e)
{
	const struct engine_stats *s = engine_stats(e);
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"lost", wire_lost_count(e)},
		      {"unpaired", s->responses_unpaired},
		      {"open", s->requests_open}};
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

#endif
