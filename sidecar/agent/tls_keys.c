/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tls_keys.h"

#include <errno.h>

#include "base/log.h"

/* Handshakes under way at once, 430 bytes each: what comes later is found in time all the same. */
#define SESSION_CAP 1024
/* Connections are given up after 3 s without secrets. */
#define TIMER_MS 1000

int tls_keys_init(struct tls_keys_agent *a, struct registry *r, bool is_on)
{
	*a = (struct tls_keys_agent){.metrics = tls_connections_new(r)};
	if (is_on)
		a->secrets = tls_secrets_new_live(SESSION_CAP);
	return a->metrics && (a->secrets || !is_on) ? 0 : -ENOMEM;
}

void tls_keys_release(struct tls_keys_agent *a)
{
	tls_secrets_free(a->secrets);
	tls_connections_free(a->metrics);
}

/* Logs once for each reason that connections cannot be decrypted. */
static void log_failures(struct tls_keys_agent *a, const struct engine_stats *stats)
{
	for (unsigned i = TLS_FAIL_NONE + 1; i < TLS_FAIL_MAX; i++) {
		if (!stats->tls.failed[i] || a->has_said[i])
			continue;
		a->has_said[i] = true;
		log_info("tls: a connection cannot be decrypted (%s); all are counted in "
			 "sidelight_tls_connections_dark_total",
			 tls_fail_name((enum tls_fail)i));
	}
}

static void expire(struct tls_keys_agent *a)
{
	/* Secrets that do not come: maybe the process has loaded its library late. */
	if (engine_expire_secrets(a->engine, uv_hrtime()))
		link_look(a->link);
	if (a->secrets)
		log_failures(a, engine_stats(a->engine));
}

static void on_timer(uv_timer_t *timer)
{
	struct tls_keys_agent *a = timer->data;

	expire(a);
	if (!engine_awaits_secrets(a->engine) && !tls_secrets_sessions(a->secrets))
		(void)uv_timer_stop(timer); /* cannot fail */
}

void tls_keys_start(struct tls_keys_agent *a, uv_loop_t *loop, struct engine *engine,
		    struct link *link)
{
	a->engine = engine;
	a->link = link;
	(void)uv_timer_init(loop, &a->timer); /* cannot fail */
	a->timer.data = a;
	a->has_timer = true;
}

void tls_keys_stop(struct tls_keys_agent *a)
{
	if (a->has_timer)
		uv_close((uv_handle_t *)&a->timer, NULL);
	a->has_timer = false;
}

static void set_timer(struct tls_keys_agent *a)
{
	if (a->secrets && a->has_timer && !uv_is_active((uv_handle_t *)&a->timer))
		(void)uv_timer_start(&a->timer, on_timer, TIMER_MS, TIMER_MS);
}

void tls_keys_opened(struct tls_keys_agent *a)
{
	set_timer(a);
}

void tls_keys_add(struct tls_keys_agent *a, const struct sl_secret *secrets, size_t count)
{
	for (size_t i = 0; a->secrets && i < count; i++)
		engine_add_secret(a->engine, &secrets[i], uv_hrtime());
	set_timer(a);
}

void tls_keys_reach(struct tls_keys_agent *a, enum tls_reach reach, uint32_t probes, uint64_t lost)
{
	uint64_t dropped = a->secrets ? tls_secrets_dropped(a->secrets) : 0;

	tls_connections_reach(a->metrics, engine_stats(a->engine), reach, probes, lost + dropped);
}

void tls_keys_refresh(struct tls_keys_agent *a)
{
	expire(a);
	tls_connections_refresh(a->metrics, engine_stats(a->engine));
}
