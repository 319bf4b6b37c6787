/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int live_init(struct live *l, const struct live_options *o)
{
	l->o = *o;
	if (!o->recent)
		return live_set_headers(l, o->headers);
	l->recorder = recorder_new(o->recent);
	l->recorder_metrics = recorder_metrics_new(o->registry);
	if (!l->recorder || !l->recorder_metrics)
		return -ENOMEM;
	(void)engine_add_sink(o->engine, &recorder_sink, l->recorder); /* there is room */
	return live_set_headers(l, o->headers);
}

int live_set_headers(struct live *l, const char *names)
{
	bool is_off = !names || !*names || strcmp(names, "off") == 0;
	char *copy = NULL;

	if (!l->recorder) {
		if (!is_off)
			log_warn("header fields are not recorded: the recorder is off");
		return 0;
	}
	if (!is_off && !(copy = strdup(names)))
		return -ENOMEM;
	engine_unwant_headers(l->o.engine, &l->headers);
	free((char *)l->headers.names);
	l->headers.names = copy;
	if (copy)
		engine_want_headers(l->o.engine, &l->headers);
	return recorder_follow_headers(l->recorder, engine_header_wishes(l->o.engine),
				       engine_memory(l->o.engine));
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

static void list(void *ctx)
{
	const struct live *l = ctx;

	connections_list(l->o.connections);
}

static uint32_t round_trip_us(void *ctx, uint64_t conn_id)
{
	const struct live *l = ctx;

	return connections_round_trip_us(l->o.connections, conn_id);
}

static void settings(void *ctx, struct text *out)
{
	const struct live *l = ctx;
	const struct engine_stats *e = engine_stats(l->o.engine);

	text_addf(out, ",\"header_capture\":\"%s\"",
		  l->o.forbids_headers ? "forbidden" : "allowed");
	text_addf(out, ",\"requests\":%llu,\"requests_open\":%llu,\"connections_open\":%llu",
		  (unsigned long long)e->transactions, (unsigned long long)e->requests_open,
		  (unsigned long long)e->conns_open);
}

static void syscalls(void *ctx, struct text *out)
{
	const struct live *l = ctx;

	syscalls_agent_write(l->o.syscalls, out);
}

int live_listen(struct live *l, uv_loop_t *loop, int fd, bool is_for_maker)
{
	const char *error = "no memory";

	l->control_metrics = control_metrics_new(l->o.registry);
	if (!l->control_metrics) {
		(void)close(fd); /* nobody has connected */
		goto fail;
	}
	l->control = control_new(loop,
				 &(struct control_options){.fd = fd,
							   .is_for_maker = is_for_maker,
							   .recorder = l->recorder,
							   .forbids_headers = l->o.forbids_headers,
							   .engine = l->o.engine,
							   .sockets = l->o.connections->sockets,
							   .list = list,
							   .round_trip_us = round_trip_us,
							   .catch_up = catch_up,
							   .container = container,
							   .settings = settings,
							   .syscalls = syscalls,
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
	(void)live_set_headers(l, NULL); /* takes no memory */
}

void live_release(struct live *l)
{
	control_metrics_free(l->control_metrics);
	recorder_metrics_free(l->recorder_metrics);
	recorder_free(l->recorder);
}

void live_listed(struct live *l)
{
	if (l->control)
		control_listed(l->control);
}

void live_refresh(struct live *l)
{
	if (l->recorder)
		recorder_metrics_refresh(l->recorder_metrics, recorder_stats(l->recorder));
	if (l->control)
		control_metrics_refresh(l->control_metrics, control_stats(l->control));
}
