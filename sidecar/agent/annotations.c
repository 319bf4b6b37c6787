/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/annotations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "pod/podinfo.h"
#include "txn/route_doubt.h"

/* One pass over the annotations. */
struct pass {
	const struct annotations_options *o;
	struct settings settings;
};

static void on_pair(void *ctx, const char *key, const char *value)
{
	struct pass *p = ctx;
	struct text error;

	text_init(&error);
	if (p->o->set(p->o->ctx, &p->settings, key, value, &error))
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

static void set_routes(struct annotations *a, const char *routes)
{
	char *copy = routes ? strdup(routes) : NULL;
	const char *error = routes && !copy ? "out of memory" : NULL;

	if (!error)
		error = engine_set_routes(a->o.engine, routes);
	if (error) {
		log_warn("annotation sidelight.dev/routes: %s", error);
		free(copy);
		return;
	}
	route_doubts(routes, warn_of_route);
	free((char *)a->now.routes);
	a->now.routes = copy;
	log_info("annotations: routes are now %s", routes ? routes : "automatic");
}

static void set_headers(struct annotations *a, const char *headers)
{
	char *copy = headers ? strdup(headers) : NULL;

	if ((headers && !copy) || live_set_headers(a->o.live, headers)) {
		log_warn("annotation sidelight.dev/headers: out of memory");
		free(copy);
		return;
	}
	free((char *)a->now.headers);
	a->now.headers = copy;
	log_info("annotations: header fields that are recorded: %s", headers ? headers : "off");
}

static void apply(struct annotations *a, const struct settings *s)
{
	if (!is_same(s->routes, a->now.routes))
		set_routes(a, s->routes);
	if (!is_same(s->headers, a->now.headers))
		set_headers(a, s->headers);
	if (s->syscalls != a->now.syscalls) {
		a->now.syscalls = s->syscalls;
		syscalls_agent_set(a->o.syscalls, s->syscalls);
	}
	if (s->push_interval_ms != a->now.push_interval_ms) {
		a->now.push_interval_ms = s->push_interval_ms;
		if (a->o.push)
			push_set_interval(a->o.push, s->push_interval_ms);
		log_info("annotations: the push interval is now %.1f s",
			 (double)s->push_interval_ms / 1000);
	}
	if (s->log_level != a->now.log_level) {
		a->now.log_level = s->log_level;
		log_set_level((enum log_level)s->log_level);
		log_info("annotations: the log level has changed");
	}
}

static void follow(struct annotations *a)
{
	struct pass pass = {.o = &a->o, .settings = a->o.start};
	char *text = podinfo_read(a->o.podinfo, "annotations");
	size_t bad;

	if (!text) {
		if (errno != ENOENT)
			log_warn("cannot read %s/annotations (%s)", a->o.podinfo, strerror(errno));
		return;
	}
	bad = podinfo_parse(text, on_pair, &pass);
	if (bad)
		log_warn("%s/annotations: %zu lines are no annotations", a->o.podinfo, bad);
	apply(a, &pass.settings);
	free(text);
}

static void on_change(uv_poll_t *poll, int status, int events)
{
	struct annotations *a = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	podinfo_seen(a->fd);
	follow(a);
}

void annotations_start(struct annotations *a, uv_loop_t *loop, const struct annotations_options *o)
{
	*a = (struct annotations){.o = *o, .now = o->start};
	a->now.routes = o->start.routes ? strdup(o->start.routes) : NULL;
	a->now.headers = o->start.headers ? strdup(o->start.headers) : NULL;
	syscalls_agent_set(o->syscalls, o->start.syscalls);
	/* Before the first look, so that no change falls in between. */
	a->fd = podinfo_watch(o->podinfo);
	if (a->fd < 0) {
		if (a->fd != -ENOENT)
			log_warn("cannot follow %s (%s)", o->podinfo, strerror(-a->fd));
		a->fd = -1;
		return;
	}
	(void)uv_poll_init(loop, &a->poll, a->fd); /* an inotify fd: cannot fail */
	a->poll.data = a;
	(void)uv_poll_start(&a->poll, UV_READABLE, on_change); /* nor this */
	follow(a);
}

void annotations_stop(struct annotations *a)
{
	free((char *)a->now.routes);
	free((char *)a->now.headers);
	a->now.routes = a->now.headers = NULL;
	if (a->fd < 0)
		return;
	uv_close((uv_handle_t *)&a->poll, NULL);
	(void)close(a->fd); /* libuv has let go of it; nothing was written */
	a->fd = -1;
}
