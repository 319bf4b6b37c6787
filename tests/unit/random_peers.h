/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random valid exchanges on many HTTP/1 connections, cut into records at random, some of which get
 * lost. The generator stores the expected status, sizes and times of each exchange.
 */
#ifndef SIDELIGHT_TESTS_RANDOM_PEERS_H
#define SIDELIGHT_TESTS_RANDOM_PEERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire.h"

#define CONNS	 12
#define EXCHANGE 24 /* per connection, at most */
#define WRITES	 (6 * EXCHANGE)

enum style {
	ONE_BY_ONE, /* the client waits for each response */
	BATCHES, /* pipelined, several requests at once */
	STYLES,
};

struct expected {
	const char *method;
	unsigned status;
	uint32_t request_size;
	uint32_t response_size;
	uint32_t begin; /* position of the first byte of the request */
	uint32_t request_end;
	uint32_t end; /* position behind the last byte of the response */
	uint64_t begin_ns; /* when they passed; 0: not yet */
	uint64_t end_ns;
	bool is_until_close;
	bool is_chunked; /* the request: the size of its body is known only at its end */
	bool is_reported;
	bool is_affected; /* a part of it was lost, or came while a parser was out of sync */
};

struct range {
	uint32_t from;
	uint32_t to;
};

struct peer {
	struct wire wire;
	struct text stream[2]; /* everything that is sent, by enum dir */
	struct range skippable[2][EXCHANGE]; /* bodies of known length */
	unsigned skippables[2];
	struct {
		enum dir dir;
		uint32_t to;
	} writes[WRITES];
	unsigned write_count;
	unsigned written;
	uint32_t at[2]; /* bytes that passed */
	uint32_t got; /* bytes that the client has received */
	struct expected expected[EXCHANGE];
	unsigned count;
	enum role role;
	enum style style;
	bool is_open;
	bool is_over;
	bool is_reset; /* before everything was written */
	unsigned stop; /* ... after so many writes */
	bool is_out_of_sync; /* a record was lost, and none has started with a request since */
};

struct world {
	struct peer peer[CONNS];
	uint64_t now_ns;
	uint32_t loss; /* one record of so many; 0: none */
	uint64_t reported;
};

static uint32_t random_state;

static inline uint32_t below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static inline enum dir client_dir(const struct peer *p)
{
	return p->role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;
}

/* --- the bytes that both peers send ------------------------------------------------- */

/* While a parser is out of sync, letters may look like a method. */
static inline void add_fill(struct text *t, uint32_t n, bool may_mislead)
{
	static const char *const misleading[] = {"GET /lie HTTP/1.1\r\n\r\n", "0\r\n\r\n",
						 "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"};
	uint32_t end = (uint32_t)t->len + n;

	while (t->len < end) {
		struct span fake = span_of(misleading[below(3)]);

		if (may_mislead && fake.len <= end - t->len && below(20) == 0)
			text_add_span(t, fake);
		else
			text_add_char(t, ":;,()<>@"[t->len % 8]);
	}
}

static inline void add_write(struct peer *p, enum dir dir)
{
	p->writes[p->write_count].dir = dir;
	p->writes[p->write_count++].to = (uint32_t)p->stream[dir].len;
}

static inline uint32_t any_size(void)
{
	return below(3) ? below(40) : below(5000);
}

/* Returns the size of the body on the wire. */
static inline uint32_t add_body(struct peer *p, enum dir dir, bool is_chunked, bool may_mislead)
{
	struct text *t = &p->stream[dir];
	uint32_t size = any_size();
	uint32_t start;

	if (!is_chunked) {
		text_addf(t, "Content-Length: %u\r\n\r\n", size);
		start = (uint32_t)t->len;
		add_fill(t, size, may_mislead);
		p->skippable[dir][p->skippables[dir]++] = (struct range){start, start + size};
		return size;
	}
	text_add(t, "Transfer-Encoding: chunked\r\n\r\n");
	start = (uint32_t)t->len;
	for (uint32_t n = below(3); n > 0; n--) {
		size = 1 + any_size();
		text_addf(t, "%x\r\n", size);
		add_fill(t, size, may_mislead);
		text_add(t, "\r\n");
	}
	text_add(t, "0\r\n\r\n");
	return (uint32_t)t->len - start;
}

static inline void add_request(struct peer *p, struct expected *x, unsigned n, bool may_mislead)
{
	static const char *const methods[] = {"GET", "GET", "GET", "HEAD", "POST", "PUT"};
	enum dir dir = client_dir(p);
	struct text *t = &p->stream[dir];

	x->method = methods[below(6)];
	x->begin = (uint32_t)t->len;
	text_addf(t, "%s /%u HTTP/1.1\r\nHost: h\r\nX-Pad: ", x->method, n);
	add_fill(t, below(4) ? 10 : below(3000), false);
	text_add(t, "\r\n");
	if (*x->method != 'P') {
		text_add(t, "\r\n");
		return;
	}
	if (p->style == ONE_BY_ONE && below(3) == 0) {
		uint32_t size = 1 + any_size();

		text_addf(t, "Expect: 100-continue\r\nContent-Length: %u\r\n\r\n", size);
		add_write(p, dir);
		text_add(&p->stream[dir_other(dir)], "HTTP/1.1 100 Continue\r\n\r\n");
		add_write(p, dir_other(dir));
		add_fill(t, size, may_mislead);
		x->request_size = size;
		return;
	}
	x->is_chunked = below(3) == 0;
	x->request_size = add_body(p, dir, x->is_chunked, may_mislead);
}

static inline void add_response(struct peer *p, struct expected *x, bool is_last, bool may_mislead)
{
	static const unsigned statuses[] = {200, 200, 200, 201, 204, 304, 404, 500};
	enum dir dir = dir_other(client_dir(p));
	struct text *t = &p->stream[dir];

	x->status = statuses[below(8)];
	text_addf(t, "HTTP/1.1 %u X\r\n", x->status);
	if (x->status == 204) {
		text_add(t, "\r\n");
	} else if (x->status == 304 || strcmp(x->method, "HEAD") == 0) {
		text_addf(t, "Content-Length: %u\r\n\r\n", any_size());
	} else if (is_last && below(3) == 0) {
		text_add(t, "\r\n");
		x->is_until_close = true;
		x->response_size = any_size();
		add_fill(t, x->response_size, may_mislead);
	} else {
		x->response_size = add_body(p, dir, below(3) == 0, may_mislead);
	}
	x->end = (uint32_t)t->len;
}

static inline void plan(struct world *w, struct peer *p, unsigned id, struct engine *engine)
{
	bool may_mislead = w->loss == 0;
	unsigned want = 1 + below(EXCHANGE);

	*p = (struct peer){.wire = wire_new(engine, &w->now_ns, id + 1),
			   .role = below(3) ? ROLE_SERVER : ROLE_CLIENT,
			   .style = (enum style)below(STYLES)};
	text_init(&p->stream[0]);
	text_init(&p->stream[1]);
	while (p->count < want) {
		unsigned batch = p->style == BATCHES ? 1 + below(want - p->count) : 1;
		unsigned first = p->count;

		for (unsigned i = 0; i < batch; i++) {
			struct expected *x = &p->expected[first + i];

			add_request(p, x, id * 100 + first + i, may_mislead);
			x->request_end = (uint32_t)p->stream[client_dir(p)].len;
			if (below(2))
				add_write(p, client_dir(p));
		}
		add_write(p, client_dir(p));
		p->count += batch;
		for (unsigned i = 0; i < batch; i++) {
			add_response(p, &p->expected[first + i], p->count == want && i == batch - 1,
				     may_mislead);
			if (below(2))
				add_write(p, dir_other(client_dir(p)));
		}
		add_write(p, dir_other(client_dir(p)));
	}
	assert_true(p->write_count <= WRITES);
	p->is_reset = below(4) == 0;
	p->stop = p->is_reset ? below(p->write_count + 1) : p->write_count;
}

/* --- the records of the BPF programs ------------------------------------------------ */

/* Bytes [at, to) of a direction pass with the event at hand. */
static inline void passed(struct world *w, struct peer *p, enum dir dir, uint32_t to)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct expected *x = &p->expected[i];

		if (dir == client_dir(p) && x->begin >= p->at[dir] && x->begin < to)
			x->begin_ns = w->now_ns + 1;
		if (dir != client_dir(p) && x->end > p->at[dir] && x->end <= to)
			x->end_ns = w->now_ns + 1;
	}
	p->at[dir] = to;
}

static inline uint32_t skippable_from(const struct peer *p, enum dir dir)
{
	for (unsigned i = 0; i < p->skippables[dir]; i++) {
		const struct range *r = &p->skippable[dir][i];

		if (p->at[dir] >= r->from && p->at[dir] < r->to)
			return r->to - p->at[dir];
	}
	return 0;
}

/*
 * Loses the record of the last bytes, from `from` on, at random. Then nothing is known of the
 * requests in it, nor of those behind them, until a record begins with one.
 */
static inline bool gets_lost(const struct world *w, struct peer *p, enum dir dir, uint32_t from)
{
	bool is_lost = w->loss && below(w->loss) == 0;

	if (dir != client_dir(p))
		return is_lost;
	for (unsigned i = 0; i < p->count; i++)
		p->is_out_of_sync &= p->expected[i].begin != from;
	p->is_out_of_sync |= is_lost;
	for (unsigned i = 0; p->is_out_of_sync && i < p->count; i++)
		p->expected[i].is_affected |=
			p->expected[i].begin < p->at[dir] && p->expected[i].request_end > from;
	return is_lost;
}

static inline void play_record(struct world *w, struct peer *p, enum dir dir, uint32_t to)
{
	uint32_t seen = p->at[dir_other(dir)];
	uint32_t left = to - p->at[dir];
	uint32_t n = 1 + below(below(4) ? 2000 : 100);
	uint32_t body = skippable_from(p, dir);
	uint32_t from = p->at[dir];
	struct span data;
	bool is_lost;

	/* Who does not wait for responses may have some of them still to receive. */
	if (dir == client_dir(p))
		p->got +=
			p->style == BATCHES && below(2) ? below(seen - p->got + 1) : seen - p->got;
	p->wire.in_flight = dir == client_dir(p) ? seen - p->got : 0;
	if (body && below(2)) {
		/* As body, it is not copied; its end is reported when it comes. */
		if (body > left)
			body = left;
		if (body > 300 && below(2)) {
			passed(w, p, dir, p->at[dir] + body - 200);
			w->now_ns++;
			p->wire.seq[dir] += body - 200;
			body = 200;
		}
		passed(w, p, dir, p->at[dir] + body);
		is_lost = gets_lost(w, p, dir, from);
		wire_record(&p->wire, dir, span_of(""), body, false, is_lost);
		return;
	}
	/* What is left of a method may be another: none is cut where a part may get lost. */
	for (unsigned i = 0; w->loss && dir == client_dir(p) && i < p->count; i++) {
		uint32_t begin = p->expected[i].begin;

		if (p->at[dir] + n > begin && p->at[dir] + n < begin + 20)
			n = begin + 20 - p->at[dir];
	}
	if (n > left)
		n = left;
	data = (struct span){p->stream[dir].ptr + p->at[dir], n};
	passed(w, p, dir, p->at[dir] + n);
	is_lost = gets_lost(w, p, dir, from);
	wire_record(&p->wire, dir, data, 0, false, is_lost);
}

/* One step of a connection; false if it is over. */
static inline bool play(struct world *w, struct peer *p)
{
	enum dir dir;

	if (!p->is_open) {
		wire_open(&p->wire, p->role);
		p->is_open = true;
		return true;
	}
	if (p->written < p->stop) {
		dir = p->writes[p->written].dir;
		if (p->at[dir] < p->writes[p->written].to)
			play_record(w, p, dir, p->writes[p->written].to);
		else
			p->written++;
		return true;
	}
	if (p->written > p->write_count)
		return false;
	p->written = p->write_count + 1;
	if (!p->is_reset)
		wire_fin(&p->wire, dir_other(client_dir(p)));
	wire_close(&p->wire, p->is_reset);
	return true;
}

#endif
