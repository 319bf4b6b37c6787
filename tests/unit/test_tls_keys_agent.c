/* SPDX-License-Identifier: Apache-2.0 */
/* When the worker looks for secrets, and gives connections up (agent/tls_keys.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "agent/tls_keys.h"
#include "metrics/registry.h"
#include "tls_observer.h"

struct world {
	struct tls_keys_agent agent;
	struct registry *registry;
	struct engine *engine;
	struct link link;
	uv_loop_t loop;
	uint64_t now_ns;
};

static bool on_needed(void *ctx)
{
	return tls_keys_fetch(ctx);
}

static int set_up(void **state)
{
	static struct world w;
	const char *error = NULL;
	int ends[2];

	memset(&w, 0, sizeof(w));
	w.now_ns = 1000000000;
	w.registry = registry_new(1000);
	assert_non_null(w.registry);
	assert_int_equal(uv_loop_init(&w.loop), 0);
	assert_int_equal(tls_keys_init(&w.agent, w.registry, true), 0);
	w.engine = engine_new(&(struct engine_options){.conn_cap = 100,
						       .route_cap = 10,
						       .secrets = w.agent.secrets,
						       .has_live_secrets = true,
						       .on_secrets_needed = on_needed,
						       .source_ctx = &w.agent},
			      &error);
	assert_non_null(w.engine);
	assert_int_equal(channel_open(ends), 0);
	assert_int_equal(close(ends[0]), 0); /* the broker is gone: nothing is asked */
	link_init(&w.link, ends[1], NULL, NULL);
	w.link.is_lost = true;
	tls_keys_start(&w.agent, &w.loop, w.engine, &w.link);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	tls_keys_stop(&w->agent);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	engine_free(w->engine);
	tls_keys_release(&w->agent);
	registry_free(w->registry);
	link_close(&w->link);
	return 0;
}

/* A connection without secrets. */
static void begin_to_wait(struct world *w)
{
	struct wire wire = wire_new(w->engine, &w->now_ns, 1);

	wire_open(&wire, ROLE_SERVER);
	tls_keys_opened(&w->agent);
	/* The client takes its time: nothing waits, and the timer stops. */
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_false(uv_is_active((uv_handle_t *)&w->agent.timer));
	hello_with_request(0x1301);
	play(&wire, 0);
	assert_true(engine_awaits_secrets(w->engine));
}

/* The one timer that runs gives the connection up; then none does. */
static void test_given_up(void **state)
{
	struct world *w = *state;

	begin_to_wait(w);
	assert_true(uv_is_active((uv_handle_t *)&w->agent.timer));
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_false(engine_awaits_secrets(w->engine));
	assert_int_equal(engine_stats(w->engine)->tls.failed[TLS_FAIL_NO_SECRET], 1);
}

/* Descriptors that are no maps: one line, once, and connections are given up. */
static void test_no_ring(void **state)
{
	struct world *w = *state;
	int fds[SECRET_RING_MAPS];

	for (size_t i = 0; i < SECRET_RING_MAPS; i++)
		fds[i] = -1;
	assert_true(w->agent.awaits_ring);
	tls_keys_open(&w->agent, fds);
	assert_false(w->agent.awaits_ring);
	tls_keys_open(&w->agent, fds);
	begin_to_wait(w);
	tls_keys_refresh(&w->agent);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(engine_stats(w->engine)->tls.failed[TLS_FAIL_NO_SECRET], 1);
}

/* The broker has said that the kernel has none: nobody waits for the ring. */
static void test_kernel_refuses(void **state)
{
	struct world *w = *state;

	assert_true(w->agent.awaits_ring);
	tls_keys_reach(&w->agent, TLS_REACH_KERNEL, 0);
	assert_false(w->agent.awaits_ring);
	tls_keys_catch_up(&w->agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_ring, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kernel_refuses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
