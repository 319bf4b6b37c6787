/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/live.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"

int live_init(struct live *l, const struct live_options *o)
{
	l->o = *o;
	if (!o->recent)
		return 0;
	l->recorder = recorder_new(o->recent);
	l->recorder_metrics = recorder_metrics_new(o->registry);
	if (!l->recorder || !l->recorder_metrics)
		return -ENOMEM;
	(void)engine_add_sink(o->engine, &recorder_sink, l->recorder); /* there is room */
	return 0;
}

static const char *container(void *ctx, uint64_t id)
{
	const struct live *l = ctx;

	return red_container_name(l->o.red, id);
}

static void catch_up(void *ctx)
{
	const struct live *l = ctx;

	reader_drain(l->o.reader);
}

static void settings(void *ctx, struct text *out)
{
	const struct live *l = ctx;
	const struct engine_stats *e = engine_stats(l->o.engine);

	text_addf(out, ",\"requests\":%llu,\"requests_open\":%llu,\"connections_open\":%llu",
		  (unsigned long long)e->transactions, (unsigned long long)e->requests_open,
		  (unsigned long long)e->conns_open);
}

int live_listen(struct live *l, uv_loop_t *loop, int fd)
{
	const char *error = "no memory";

	l->control_metrics = control_metrics_new(l->o.registry);
	if (!l->control_metrics) {
		(void)close(fd); /* nobody has connected */
		goto fail;
	}
	l->control = control_new(loop,
				 &(struct control_options){.fd = fd,
							   .recorder = l->recorder,
							   .engine = l->o.engine,
							   .catch_up = catch_up,
							   .container = container,
							   .settings = settings,
							   .ctx = l},
				 &error);
	if (l->control)
		return 0;
fail:
	log_error("run: no control socket: %s", error);
	return -EINVAL;
}

void live_stop(struct live *l)
{
	control_close(l->control);
	l->control = NULL;
}

void live_release(struct live *l)
{
	control_metrics_free(l->control_metrics);
	recorder_metrics_free(l->recorder_metrics);
	recorder_free(l->recorder);
}

void live_refresh(struct live *l)
{
	if (l->recorder)
		recorder_metrics_refresh(l->recorder_metrics, recorder_stats(l->recorder));
	if (l->control)
		control_metrics_refresh(l->control_metrics, control_stats(l->control));
}
