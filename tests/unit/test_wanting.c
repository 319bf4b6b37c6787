/* SPDX-License-Identifier: Apache-2.0 */
/* Which HTTP/2 connections want header lists of the observed program (txn/http2_session.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire.h"

/* As http2_session.c has it. */
#define WANTING_MAX 512

/* HEADERS of a stream, whose block is a reference to the newest entry of the table. */
static const char unknown_head[] = "\0\0\1\1\5\0\0\0\1\276";

static void on_wanted(void *ctx)
{
	++*(unsigned *)ctx;
}

static void on_wanting(void *ctx, const struct endpoint *local, const struct endpoint *remote)
{
	(void)local;
	(void)remote;
	++*(unsigned *)ctx;
}

static void send_head(struct wire *w)
{
	struct event ev = {.kind = EVENT_DATA,
			   .data = {.dir = DIR_INGRESS,
				    .data = {unknown_head, sizeof(unknown_head) - 1},
				    .from_seq = w->reported[DIR_INGRESS],
				    .seq = w->seq[DIR_INGRESS],
				    .to_seq = w->seq[DIR_INGRESS] + sizeof(unknown_head) - 1,
				    .is_frame = true}};

	w->seq[DIR_INGRESS] = w->reported[DIR_INGRESS] = ev.data.to_seq;
	wire_event(w, &ev);
}

/* Older connections, one of which has fields of its table beside those that may want lists. */
static void test_too_many(void **state)
{
	static struct wire wires[WANTING_MAX + 2];
	const char *error = NULL;
	unsigned asked = 0;
	unsigned wanting = 0;
	uint64_t now_ns = 1000;
	struct engine *e = engine_new(&(struct engine_options){.conn_cap = WANTING_MAX + 10,
							       .route_cap = 10,
							       .on_lists_wanted = on_wanted,
							       .source_ctx = &asked},
				      &error);
	const uint64_t *counts;

	(void)state;
	assert_non_null(e);
	for (size_t i = 0; i < WANTING_MAX + 2; i++) {
		wires[i] = wire_new(e, &now_ns, i + 1);
		wire_open(&wires[i], ROLE_UNKNOWN);
		send_head(&wires[i]);
	}
	counts = engine_stats(e)->header_lists;
	assert_int_equal(engine_stats(e)->http2_unknown_fields, WANTING_MAX + 2);
	assert_int_equal(asked, WANTING_MAX);
	assert_int_equal(counts[ENGINE_LIST_TOO_MANY], 2);
	engine_each_wanting_lists(e, now_ns, on_wanting, &wanting);
	assert_int_equal(wanting, WANTING_MAX);
	/* There is room for one of them once another has ended. */
	wire_close(&wires[0], false);
	send_head(&wires[WANTING_MAX]);
	send_head(&wires[WANTING_MAX + 1]);
	assert_int_equal(asked, WANTING_MAX + 1);
	assert_int_equal(counts[ENGINE_LIST_TOO_MANY], 3);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_too_many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
