/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tls_keys.h"

#include <errno.h>
#include <string.h>

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
	secret_ring_close(&a->ring);
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

static void on_secret(void *ctx, const struct sl_secret *secret)
{
	struct tls_keys_agent *a = ctx;

	engine_add_secret(a->engine, secret);
}

static void on_timer(uv_timer_t *timer);
static void on_ring_timer(uv_timer_t *timer);

static void set_timer(struct tls_keys_agent *a)
{
	if (a->secrets && a->loop && !uv_is_active((uv_handle_t *)&a->timer))
		(void)uv_timer_start(&a->timer, on_timer, TIMER_MS, TIMER_MS);
}

static void set_ring_timer(struct tls_keys_agent *a)
{
	if (a->loop && !uv_is_active((uv_handle_t *)&a->ring_timer))
		(void)uv_timer_start(&a->ring_timer, on_ring_timer, READER_PERIOD_MS, 0);
}

/* Adds the secrets that there are. Returns whether there were any. */
static bool take(struct tls_keys_agent *a)
{
	unsigned count = 0;

	if (secret_ring_is_open(&a->ring))
		count = secret_ring_take(&a->ring, on_secret, a);
	if (count)
		set_timer(a);
	if (count == SL_SECRETS) /* there may be more, which wake nobody */
		set_ring_timer(a);
	return count;
}

/* Also for those that were left out the last time. */
static void take_and_resume(struct tls_keys_agent *a)
{
	(void)take(a);
	if (a->secrets && !engine_resume_secrets(a->engine, uv_hrtime()))
		set_ring_timer(a);
}

static void expire(struct tls_keys_agent *a)
{
	take_and_resume(a);
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
	a->loop = loop;
	a->awaits_ring = a->secrets;
	(void)uv_timer_init(loop, &a->timer); /* cannot fail, nor the next */
	(void)uv_timer_init(loop, &a->ring_timer);
	a->timer.data = a->ring_timer.data = a->ring_poll.data = a;
}

void tls_keys_stop(struct tls_keys_agent *a)
{
	if (!a->loop)
		return;
	a->loop = NULL;
	a->awaits_ring = false;
	uv_close((uv_handle_t *)&a->timer, NULL);
	uv_close((uv_handle_t *)&a->ring_timer, NULL);
	if (a->ring_poll.loop)
		uv_close((uv_handle_t *)&a->ring_poll, NULL);
}

static void on_ring_timer(uv_timer_t *timer)
{
	take_and_resume(timer->data);
}

static void on_woken(uv_poll_t *poll, int status, int events)
{
	struct tls_keys_agent *a = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	if (secret_ring_woken(&a->ring))
		take_and_resume(a);
	else
		set_ring_timer(a);
}

void tls_keys_open(struct tls_keys_agent *a, const int fds[SECRET_RING_MAPS])
{
	int err;

	if (!a->awaits_ring)
		return;
	a->awaits_ring = false;
	err = secret_ring_open(&a->ring, fds);
	if (err) {
		log_warn("tls: TLS is not decrypted: cannot read the secrets (%s)", strerror(-err));
		return;
	}
	err = uv_poll_init(a->loop, &a->ring_poll, secret_ring_fd(&a->ring));
	if (!err)
		err = uv_poll_start(&a->ring_poll, UV_READABLE, on_woken);
	if (err) /* connections find theirs all the same */
		log_warn("tls: secrets wake nobody (%s)", uv_strerror(err));
	(void)take(a);
	set_ring_timer(a); /* for those that wait */
}

void tls_keys_opened(struct tls_keys_agent *a)
{
	set_timer(a);
}

void tls_keys_catch_up(struct tls_keys_agent *a)
{
	if (a->awaits_ring && engine_awaits_secrets(a->engine))
		link_catch_up(a->link);
}

bool tls_keys_fetch(struct tls_keys_agent *a)
{
	bool has_taken = take(a);

	if (has_taken && engine_awaits_secrets(a->engine))
		set_ring_timer(a); /* for the others */
	set_timer(a); /* otherwise the one that needs them begins to wait */
	return has_taken;
}

void tls_keys_reach(struct tls_keys_agent *a, enum tls_reach reach, uint32_t probes)
{
	if (reach == TLS_REACH_KERNEL)
		a->awaits_ring = false;
	tls_connections_reach(a->metrics, engine_stats(a->engine), reach, probes);
}

void tls_keys_refresh(struct tls_keys_agent *a)
{
	expire(a);
	if (a->secrets)
		tls_connections_lost(a->metrics,
				     secret_ring_lost(&a->ring) + tls_secrets_dropped(a->secrets));
	tls_connections_refresh(a->metrics, engine_stats(a->engine));
}
