/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effect of a scanner's requests on the labels of other requests: routes, hosts of a
 * client, and methods of gRPC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "proto/http2_frame.h"
#include "wire.h"

#define CAP	100
#define SCANNED 1000
#define NAMES	1024

struct world {
	struct engine *engine;
	uint64_t now_ns;
	struct wire wire;
	const char *names[NAMES]; /* distinct label values that were reported */
	unsigned count;
	char newest[300];
};

static void log_label(struct world *world, const char *name)
{
	(void)snprintf(world->newest, sizeof(world->newest), "%s", name);
	for (unsigned i = 0; i < world->count; i++)
		if (world->names[i] == name)
			return;
	assert_true(world->count < NAMES);
	world->names[world->count++] = name;
}

static void log_route(void *ctx, const struct transaction *t)
{
	log_label(ctx, t->route);
}

static void log_address(void *ctx, const struct transaction *t)
{
	log_label(ctx, t->server_address);
}

static const struct txn_sink routes = {.done = log_route};
static const struct txn_sink addresses = {.done = log_address};

static void set_up(struct world *world, enum role role)
{
	const char *error;

	*world = (struct world){0};
	world->engine =
		engine_new(&(struct engine_options){.conn_cap = 100000, .route_cap = CAP}, &error);
	assert_non_null(world->engine);
	(void)engine_add_sink(world->engine, role == ROLE_SERVER ? &routes : &addresses, world);
	world->wire = wire_new(world->engine, &world->now_ns, 1);
	wire_open(&world->wire, role);
}

static void tear_down(struct world *world)
{
	wire_close(&world->wire, false);
	assert_int_equal(engine_stats(world->engine)->memory_used, 0);
	assert_int_equal(engine_stats(world->engine)->requests_open, 0);
	for (size_t i = 0; i <= ACTIVE_CELLS; i++)
		assert_int_equal(engine_actives(world->engine)[i].count, 0);
	engine_free(world->engine);
}

static void exchange(struct world *world, enum role role, const char *target, const char *host,
		     unsigned status)
{
	enum dir dir = role == ROLE_SERVER ? DIR_INGRESS : DIR_EGRESS;
	char text[400];

	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host);
	wire_data(&world->wire, dir, text);
	(void)snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\nContent-Length: 0\r\n\r\n", status);
	wire_data(&world->wire, dir_other(dir), text);
}

static void test_scanner(void **state)
{
	struct world world;
	char target[64];

	(void)state;
	set_up(&world, ROLE_SERVER);
	for (unsigned i = 0; i < SCANNED; i++) {
		(void)snprintf(target, sizeof(target), "/admin%c%c/shell.php", 'a' + i % 26,
			       'a' + i / 26);
		exchange(&world, ROLE_SERVER, target, "h", 404);
	}
	assert_in_range(world.count, 2, CAP / 10 + 1);
	assert_int_equal(engine_stats(world.engine)->routes_overflowed, SCANNED - CAP / 10);
	exchange(&world, ROLE_SERVER, "/orders/17", "h", 200);
	assert_string_equal(world.newest, "/orders/{id}");
	exchange(&world, ROLE_SERVER, "/hello", "h", 200);
	assert_string_equal(world.newest, "/hello");
	exchange(&world, ROLE_SERVER, "/hello", "h", 404);
	assert_string_equal(world.newest, "/hello");
	tear_down(&world);
}

/* Requests that are never answered hold nothing when their connections have gone. */
static void test_unanswered(void **state)
{
	struct world world;
	char text[64];

	(void)state;
	set_up(&world, ROLE_SERVER);
	for (unsigned i = 0; i < SCANNED; i++) {
		struct wire w = wire_new(world.engine, &world.now_ns, i + 2);

		(void)snprintf(text, sizeof(text), "GET /a%c%c HTTP/1.1\r\n\r\n", 'a' + i % 26,
			       'a' + i / 26);
		wire_open(&w, ROLE_SERVER);
		wire_data(&w, DIR_INGRESS, text);
		if (i % 3 == 0)
			wire_close(&w, i % 2);
		else if (i % 3 == 1)
			wire_mute(&w, SL_MUTE_UPGRADE);
	}
	engine_flush(world.engine, world.now_ns);
	assert_in_range(world.count, 2, CAP / 2 + 1);
	wire_open(&world.wire, ROLE_SERVER);
	exchange(&world, ROLE_SERVER, "/hello", "h", 200);
	assert_string_equal(world.newest, "/hello");
	tear_down(&world);
}

/* Hosts of a client's requests: names and ports under control of others. */
static void test_hosts(void **state)
{
	struct world world;
	char host[64];

	(void)state;
	set_up(&world, ROLE_CLIENT);
	exchange(&world, ROLE_CLIENT, "/", "api.example", 200);
	assert_string_equal(world.newest, "api.example");
	for (unsigned i = 0; i < SCANNED; i++) {
		(void)snprintf(host, sizeof(host), "h%u.example", i);
		exchange(&world, ROLE_CLIENT, "/", host, i % 2 ? 403 : 404);
	}
	assert_in_range(world.count, 2, 102);
	assert_string_equal(world.newest, "_OTHER");
	assert_true(engine_stats(world.engine)->addresses_overflowed >= SCANNED - 100);
	exchange(&world, ROLE_CLIENT, "/", "late.example", 200);
	assert_string_equal(world.newest, "late.example");
	tear_down(&world);
}

/* --- gRPC ------------------------------------------------------------------------ */

static void frame(struct world *world, enum dir dir, uint8_t type, uint8_t flags, uint32_t stream,
		  const char *payload, size_t len)
{
	char head[9] = {(char)(len >> 16),    (char)(len >> 8),	   (char)len,
			(char)type,	      (char)flags,	   0,
			(char)(stream >> 16), (char)(stream >> 8), (char)stream};
	struct text t;

	text_init(&t);
	text_add_span(&t, (struct span){head, sizeof(head)});
	text_add_span(&t, (struct span){payload, len});
	wire_record(&world->wire, dir, text_span(&t), 0, false, false);
	text_release(&t);
}

static size_t put_field(char *out, const char *name, const char *value)
{
	size_t n = 0;

	out[n++] = 0; /* literal without indexing, new name */
	out[n++] = (char)strlen(name);
	memcpy(out + n, name, strlen(name));
	n += strlen(name);
	out[n++] = (char)strlen(value);
	memcpy(out + n, value, strlen(value));
	return n + strlen(value);
}

static void begin_rpc(struct world *world, uint32_t stream, const char *method)
{
	char block[300];
	char path[100];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "/%s", method);
	n += put_field(block + n, ":method", "POST");
	n += put_field(block + n, ":path", path);
	n += put_field(block + n, "content-type", "application/grpc");
	frame(world, DIR_INGRESS, HTTP2_HEADERS, HTTP2_FLAG_END_HEADERS, stream, block, n);
	frame(world, DIR_INGRESS, HTTP2_DATA, HTTP2_FLAG_END_STREAM, stream, "\0\0\0\0", 5);
}

static void end_rpc(struct world *world, uint32_t stream, const char *status)
{
	char block[100];
	size_t n = put_field(block, "grpc-status", status);

	frame(world, DIR_EGRESS, HTTP2_HEADERS, HTTP2_FLAG_END_HEADERS | HTTP2_FLAG_END_STREAM,
	      stream, block, n);
}

static void answer_rpc(struct world *world, uint32_t stream)
{
	char block[100];
	size_t n = put_field(block, ":status", "200");

	n += put_field(block + n, "content-type", "application/grpc");
	frame(world, DIR_EGRESS, HTTP2_HEADERS, HTTP2_FLAG_END_HEADERS, stream, block, n);
	frame(world, DIR_EGRESS, HTTP2_DATA, 0, stream, "\0\0\0\0", 5);
}

static uint64_t open_calls(struct world *world, const char *method)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= ACTIVE_CELLS; i++) {
		const struct active *a = &engine_actives(world->engine)[i];

		if (a->known_method && a->is_rpc && strcmp(a->known_method, method) == 0)
			sum += a->count;
	}
	return sum;
}

static void test_rpc_methods(void **state)
{
	struct world world;
	uint32_t stream = 1;
	char method[64];

	(void)state;
	set_up(&world, ROLE_SERVER);
	wire_data(&world.wire, DIR_INGRESS, HTTP2_PREFACE);
	frame(&world, DIR_INGRESS, HTTP2_SETTINGS, 0, 0, "", 0);
	frame(&world, DIR_EGRESS, HTTP2_SETTINGS, 0, 0, "", 0);
	for (unsigned i = 0; i < SCANNED; i++, stream += 2) {
		(void)snprintf(method, sizeof(method), "made.Up/M%u", i);
		begin_rpc(&world, stream, method);
		end_rpc(&world, stream, "12");
	}
	assert_in_range(world.count, 2, CAP / 10 + 1);
	assert_string_equal(world.newest, "_OTHER");
	begin_rpc(&world, stream, "shop.Cart/Add");
	assert_int_equal(open_calls(&world, "_OTHER"), 1);
	answer_rpc(&world, stream);
	end_rpc(&world, stream, "0");
	assert_string_equal(world.newest, "shop.Cart/Add");
	stream += 2;
	begin_rpc(&world, stream, "shop.Cart/Add?token=secret");
	end_rpc(&world, stream, "0");
	assert_string_equal(world.newest, "shop.Cart/Add");

	/* A stream that goes on is named as soon as it has an answer. */
	stream += 2;
	begin_rpc(&world, stream, "shop.Cart/Watch");
	assert_int_equal(open_calls(&world, "_OTHER"), 1);
	answer_rpc(&world, stream);
	assert_int_equal(open_calls(&world, "_OTHER"), 0);
	assert_int_equal(open_calls(&world, "shop.Cart/Watch"), 1);
	assert_int_equal(engine_stats(world.engine)->requests_open, 1);
	end_rpc(&world, stream, "13");
	assert_string_equal(world.newest, "shop.Cart/Watch");
	assert_int_equal(open_calls(&world, "shop.Cart/Watch"), 0);
	tear_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scanner),
		cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_rpc_methods),
	};

	return cmocka_run_group_tests_name("engine_labels", tests, NULL, NULL);
}
