/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What strangers can make the engine hold stays within the memory budget, whatever its shape, and a
 * connection that works beside them is counted exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "proto/http2_frame.h"
#include "wire.h"

#define CAP	  (2u << 20)
#define SLACK	  64u
#define STRANGERS 600
/* Between two events of an honest connection, as the clock of the events has it. */
#define HONEST_EVERY 20

#define GET    "GET /honest HTTP/1.1\r\nHost: h\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static char bytes[16 << 10];

/* A head that does not end. */
static void unfinished_head(struct wire *w)
{
	static const char start[] = "GET /x HTTP/1.1\r\nX: ";

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, start, sizeof(start) - 1);
	for (size_t at = 0; at + 1000 < sizeof(bytes); at += 1000)
		wire_record(w, DIR_INGRESS, (struct span){bytes + at, 1000}, 0, false, false);
}

/* One byte is missing, and what follows it may still become complete. */
static void sequence_gap(struct wire *w)
{
	memset(bytes, 'a', sizeof(bytes));
	w->seq[DIR_INGRESS]++;
	for (unsigned i = 0; i < 6; i++) {
		struct event ev = {.kind = EVENT_DATA,
				   .data = {.dir = DIR_INGRESS,
					    .data = {bytes, sizeof(bytes)},
					    .seq = w->seq[DIR_INGRESS],
					    .from_seq = w->seq[DIR_INGRESS],
					    .to_seq = w->seq[DIR_INGRESS] + sizeof(bytes),
					    .has_gap = true}};

		w->seq[DIR_INGRESS] = ev.data.to_seq;
		wire_event(w, &ev);
	}
}

static void frame(struct wire *w, uint32_t len, uint8_t type, uint8_t flags, uint32_t stream,
		  const char *payload, size_t there)
{
	char head[9] = {(char)(len >> 16),    (char)(len >> 8),	   (char)len,
			(char)type,	      (char)flags,	   0,
			(char)(stream >> 16), (char)(stream >> 8), (char)stream};

	wire_record(w, DIR_INGRESS, (struct span){head, 9}, 0, false, false);
	if (there)
		wire_record(w, DIR_INGRESS, (struct span){payload, there}, 0, false, false);
}

static void preface(struct wire *w)
{
	wire_data(w, DIR_INGRESS, HTTP2_PREFACE);
	frame(w, 0, HTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* A header block that does not end. */
static void unfinished_block(struct wire *w)
{
	memset(bytes, 0, sizeof(bytes));
	preface(w);
	frame(w, sizeof(bytes), HTTP2_HEADERS, 0, 1, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 2; i++)
		frame(w, sizeof(bytes), HTTP2_CONTINUATION, 0, 1, bytes, sizeof(bytes));
}

/* Header tables as large as a client may have them, full. */
static void header_table(struct wire *w)
{
	char block[2 + 2 + 120 + 1];

	preface(w);
	for (unsigned i = 0; i < 40; i++) {
		memset(block, 'v', sizeof(block));
		block[0] = 0x40; /* literal with incremental indexing, new name */
		block[1] = 2;
		block[2] = 'x';
		block[3] = (char)('a' + i % 26);
		block[4] = 120;
		frame(w, sizeof(block), HTTP2_HEADERS,
		      HTTP2_FLAG_END_HEADERS | HTTP2_FLAG_END_STREAM, 2 * i + 1, block,
		      sizeof(block));
	}
}

/* Streams without responses. */
static void open_streams(struct wire *w)
{
	static const char block[] = {(char)0x82, (char)0x84, (char)0x86}; /* GET / http */

	preface(w);
	for (uint32_t i = 0; i < 200; i++)
		frame(w, 3, HTTP2_HEADERS, HTTP2_FLAG_END_HEADERS | HTTP2_FLAG_END_STREAM,
		      2 * i + 1, block, 3);
}

/* Requests without responses. */
static void pipeline(struct wire *w)
{
	for (unsigned i = 0; i < 100; i++)
		wire_data(w, DIR_INGRESS, "GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
}

static void silent(struct wire *w)
{
	(void)w;
}

struct world {
	struct engine *engine;
	uint64_t now_ns;
	uint64_t honest; /* transactions of it that were reported */
	struct wire busy;
};

static void log_honest(void *ctx, const struct transaction *t)
{
	struct world *world = ctx;

	world->honest += strcmp(t->route, "/honest") == 0 && t->http.status == 200;
}

static const struct txn_sink log_sink = {.done = log_honest};
static const struct txn_sink log_with_target = {.needs = TXN_NEED_TARGET, .done = log_honest};

static void set_up(struct world *world, bool wants_target)
{
	const char *error;

	*world = (struct world){0};
	world->engine = engine_new(
		&(struct engine_options){.conn_cap = 100000, .memory_cap = CAP, .route_cap = 100},
		&error);
	assert_non_null(world->engine);
	(void)engine_add_sink(world->engine, wants_target ? &log_with_target : &log_sink, world);
	world->busy = wire_new(world->engine, &world->now_ns, 1);
	wire_open(&world->busy, ROLE_SERVER);
}

static void work(struct world *world)
{
	wire_data(&world->busy, DIR_INGRESS, GET);
	wire_data(&world->busy, DIR_EGRESS, ANSWER);
}

static const struct {
	const char *why;
	void (*run)(struct wire *w);
	bool overflows; /* so many do not fit */
} shapes[] = {
	{"a slowloris of heads", unfinished_head, true},
	{"segments behind a missing byte", sequence_gap, true},
	{"header blocks that do not end", unfinished_block, true},
	{"header tables", header_table, true},
	{"streams without responses", open_streams, true},
	{"pipelined requests without responses", pipeline, true},
	{"connections that say nothing", silent, false},
};

static void check_shape(unsigned shape, bool wants_target, bool is_reset)
{
	const struct engine_stats *stats;
	struct wire wires[STRANGERS];
	struct world world;
	uint64_t asked = 0;

	set_up(&world, wants_target);
	for (unsigned i = 0; i < STRANGERS; i++) {
		wires[i] = wire_new(world.engine, &world.now_ns, i + 2);
		wire_open(&wires[i], ROLE_SERVER);
		shapes[shape].run(&wires[i]);
		stats = engine_stats(world.engine);
		assert_true(stats->memory_used <= CAP + SLACK);
		if (i % HONEST_EVERY == 0) {
			work(&world);
			asked++;
		}
	}
	assert_int_equal(world.honest, asked);
	if ((stats->conns_evicted_memory > 0) != shapes[shape].overflows)
		fail_msg("%s: %llu evicted", shapes[shape].why,
			 (unsigned long long)stats->conns_evicted_memory);
	assert_int_equal(stats->conns_open + stats->conns_evicted_memory, stats->conns_total);
	/* The last ones are those that stay. */
	for (unsigned i = 0; i < STRANGERS; i++)
		wire_close(&wires[i], is_reset);
	work(&world);
	assert_int_equal(world.honest, asked + 1);
	wire_close(&world.busy, false);
	assert_int_equal(engine_stats(world.engine)->memory_used, 0);
	assert_int_equal(engine_stats(world.engine)->http2_table_bytes, 0);
	assert_int_equal(engine_stats(world.engine)->requests_open, 0);
	engine_free(world.engine);
}

static void test_shapes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		for (unsigned way = 0; way < 4; way++)
			check_shape(i, way & 1, way & 2);
}

/* What an evicted connection had open is counted as lost for want of memory. */
static void test_open_requests_are_counted(void **state)
{
	const struct engine_stats *stats;
	struct world world;
	struct wire asks;

	(void)state;
	set_up(&world, false);
	asks = wire_new(world.engine, &world.now_ns, 2);
	wire_open(&asks, ROLE_SERVER);
	wire_data(&asks, DIR_INGRESS, GET);
	for (unsigned i = 0; i < STRANGERS; i++) {
		struct wire w = wire_new(world.engine, &world.now_ns, i + 3);

		wire_open(&w, ROLE_SERVER);
		unfinished_head(&w);
	}
	stats = engine_stats(world.engine);
	assert_int_equal(stats->lost[ENGINE_LOST_MEMORY], 1);
	assert_int_equal(stats->lost[ENGINE_LOST_EVICTED], 0);
	/* It is followed again from its next request on. */
	wire_data(&asks, DIR_EGRESS, ANSWER);
	wire_data(&asks, DIR_INGRESS, GET);
	wire_data(&asks, DIR_EGRESS, ANSWER);
	assert_int_equal(world.honest, 1);
	assert_int_equal(engine_stats(world.engine)->responses_unpaired, 1);
	engine_flush(world.engine, world.now_ns);
	assert_int_equal(engine_stats(world.engine)->memory_used, 0);
	engine_free(world.engine);
}

/* One connection cannot take more than its share, and does not affect others. */
static void test_one_stranger(void **state)
{
	const struct engine_stats *stats;
	struct world world;
	struct wire w;

	(void)state;
	set_up(&world, false);
	work(&world);
	w = wire_new(world.engine, &world.now_ns, 2);
	wire_open(&w, ROLE_SERVER);
	sequence_gap(&w);
	sequence_gap(&w);
	stats = engine_stats(world.engine);
	assert_true(stats->memory_used <= CAP / MEMORY_SHARES + (8u << 10));
	assert_true(stats->memory_refused > 0);
	assert_int_equal(stats->conns_evicted_memory, 0);
	work(&world);
	assert_int_equal(world.honest, 2);
	engine_free(world.engine);
}

/*
 * A response without the end of its head changes the protocol when the connection ends: its request
 * is counted, and nothing is left behind.
 */
static void test_upgrade_at_the_end(void **state)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
	uint64_t now_ns = 0;
	const char *error;
	struct engine *e = engine_new(&options, &error);
	size_t before;

	(void)state;
	assert_non_null(e);
	before = engine_memory(e)->used;
	for (uint64_t id = 1; id <= 100; id++) {
		struct wire w = wire_new(e, &now_ns, id);

		wire_open(&w, ROLE_SERVER);
		wire_data(&w, DIR_INGRESS, "GET /up HTTP/1.1\r\nUpgrade: h2c\r\n\r\n");
		wire_data(&w, DIR_EGRESS, "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n");
		wire_close(&w, id % 2);
	}
	assert_int_equal(engine_memory(e)->used, before);
	assert_int_equal(engine_stats(e)->requests_open, 0);
	assert_int_equal(engine_stats(e)->transactions, 100);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_open_requests_are_counted),
		cmocka_unit_test(test_one_stranger),
		cmocka_unit_test(test_upgrade_at_the_end),
	};

	return cmocka_run_group_tests_name("engine_memory", tests, NULL, NULL);
}
