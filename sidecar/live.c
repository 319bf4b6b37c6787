/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "pod/podinfo.h"
#include "txn/route_doubt.h"

static void on_pair(void *ctx, const char *key, const char *value)
{
	struct options *o = ctx;
	struct text error;

	text_init(&error);
	if (options_annotate(o, key, value, &error))
		log_warn("annotation %s", error.ptr);
	text_release(&error);
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static void warn_of_route(struct span template, const char *why)
{
	log_warn("annotation sidelight.dev/routes: template %.*s: %s", SPAN_ARG(template), why);
}

static void set_routes(struct live *l, const char *routes)
{
	char *copy = routes ? strdup(routes) : NULL;
	const char *error = routes && !copy ? "out of memory" : NULL;

	if (!error)
		error = engine_set_routes(l->engine, routes);
	if (error) {
		log_warn("annotation sidelight.dev/routes: %s", error);
		free(copy);
		return;
	}
	route_doubts(routes, warn_of_route);
	free(l->routes);
	l->routes = copy;
	log_info("annotations: routes are now %s", routes ? routes : "automatic");
}

static void set(struct live *l, const struct options *o)
{
	if (!is_same(o->routes, l->routes))
		set_routes(l, o->routes);
	if (o->push_interval_ms != l->push_interval_ms) {
		l->push_interval_ms = o->push_interval_ms;
		if (l->push)
			push_set_interval(l->push, o->push_interval_ms);
		log_info("annotations: the push interval is now %.1f s",
			 (double)o->push_interval_ms / 1000);
	}
	if (o->log_level != l->log_level) {
		l->log_level = o->log_level;
		log_set_level((enum log_level)o->log_level);
		log_info("annotations: the log level has changed");
	}
}

static void follow(struct live *l)
{
	struct options now = *l->start;
	char *text = podinfo_read(l->start->podinfo, "annotations");
	size_t bad;

	if (!text) {
		if (errno != ENOENT)
			log_warn("cannot read %s/annotations (%s)", l->start->podinfo,
				 strerror(errno));
		return;
	}
	bad = podinfo_parse(text, on_pair, &now);
	if (bad)
		log_warn("%s/annotations: %zu lines are no annotations", l->start->podinfo, bad);
	set(l, &now);
	free(text);
}

static void on_change(uv_poll_t *poll, int status, int events)
{
	struct live *l = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	podinfo_seen(l->fd);
	follow(l);
}

void live_start(struct live *l, uv_loop_t *loop, const struct options *start, struct engine *engine,
		struct push *push)
{
	*l = (struct live){.start = start,
			   .engine = engine,
			   .push = push,
			   .routes = start->routes ? strdup(start->routes) : NULL,
			   .push_interval_ms = start->push_interval_ms,
			   .log_level = start->log_level};
	/* Before the first look, so that no change falls in between. */
	l->fd = podinfo_watch(start->podinfo);
	if (l->fd < 0) {
		if (l->fd != -ENOENT)
			log_warn("cannot follow %s (%s)", start->podinfo, strerror(-l->fd));
		l->fd = -1;
		return;
	}
	(void)uv_poll_init(loop, &l->poll, l->fd); /* an inotify fd: cannot fail */
	l->poll.data = l;
	(void)uv_poll_start(&l->poll, UV_READABLE, on_change); /* nor this */
	follow(l);
}

void live_stop(struct live *l)
{
	free(l->routes);
	l->routes = NULL;
	if (l->fd < 0)
		return;
	uv_close((uv_handle_t *)&l->poll, NULL);
	(void)close(l->fd); /* libuv has let go of it; nothing was written */
	l->fd = -1;
}
