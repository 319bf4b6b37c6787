/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/exports.h"

#include <errno.h>

#include "base/log.h"
#include "base/push_url.h"

static int open_scrape(struct exports *x, uv_loop_t *loop, const struct exports_options *o)
{
	const struct options *c = o->command_line;
	const char *error = "";

	x->scrape = scrape_new(loop,
			       &(struct scrape_options){.listen = c->metrics_listen,
							.registry = o->registry,
							.labels = o->labels->common,
							.label_count = o->labels->scraped_count,
							.max_age_ms = c->metrics_age_ms,
							.before = o->before,
							.unready = o->unready,
							.ctx = o->ctx},
			       &error);
	if (!x->scrape) {
		log_error("run: --metrics-listen %s: %s", c->metrics_listen, error);
		return -EINVAL;
	}
	log_info("run: serving /metrics on port %u", scrape_port(x->scrape));
	return 0;
}

/* Without the URL, as below: it may hold a password. */
static int open_push(struct exports *x, uv_loop_t *loop, const struct exports_options *o)
{
	const struct options *c = o->command_line;
	const char *error = "";

	x->push = push_new(
		loop,
		&(struct push_options){.url = c->push,
				       .interval_ms = c->push_interval_ms,
				       .timeout_ms = c->push_timeout_ms,
				       .keeps_on_exit = c->push_on_exit == ON_EXIT_KEEP,
				       .needs_protobuf = c->histograms != HISTOGRAMS_CLASSIC,
				       .ca = c->push_ca,
				       .cert = c->push_cert,
				       .key = c->push_key,
				       .user_file = c->push_user_file,
				       .token_file = c->push_token_file,
				       .group = o->labels->group,
				       .group_count = o->labels->group_count,
				       .labels = o->labels->common,
				       .label_count = o->labels->common_count,
				       .registry = o->registry,
				       .before = o->before,
				       .ctx = o->ctx},
		&error);
	if (x->push)
		return 0;
	log_error("run: --push: %s", error);
	return -EINVAL;
}

/* What of the environment describes us and our credentials. */
static int read_environment(struct exports *x, const struct exports_options *o)
{
	const struct otel_environment *e = &o->command_line->otel;
	int err = resource_init(&x->resource, o->labels, e->service_name, e->resource_attributes);

	if (err == -EINVAL)
		log_warn("run: OTEL_RESOURCE_ATTRIBUTES is no list of KEY=VALUE: it is not used");
	if (err == -ENOMEM || !e->headers)
		return err == -ENOMEM ? err : 0;
	err = pairs_parse(&x->headers, e->headers);
	if (err == -EINVAL) /* without a word of it: it may hold credentials */
		log_warn("run: the headers for OTLP in the environment are no list of NAME=VALUE: "
			 "none is sent");
	return err == -ENOMEM ? err : 0;
}

static int open_otlp(struct exports *x, uv_loop_t *loop, const struct exports_options *o)
{
	const struct options *c = o->command_line;
	const char *error = "no memory";

	x->otlp_metrics = otlp_metrics_new(o->registry);
	if (x->otlp_metrics && read_environment(x, o) == 0)
		x->otlp = otlp_new(loop,
				   &(struct otlp_options){.url = c->otlp,
							  .is_base = c->is_otlp_base,
							  .is_plain = c->otel.is_plain,
							  .interval_ms = c->otlp_interval_ms,
							  .timeout_ms = c->otlp_timeout_ms,
							  .ca = c->otlp_ca,
							  .cert = c->otlp_cert,
							  .key = c->otlp_key,
							  .token_file = c->otlp_token_file,
							  .headers = &x->headers,
							  .resource = &x->resource.otlp,
							  .registry = o->registry,
							  .before = o->before,
							  .ctx = o->ctx},
				   &error);
	if (x->otlp)
		return 0;
	log_error("run: --otlp: %s", error);
	return -EINVAL;
}

static void warn_of_environment(const struct options *c)
{
	if (c->is_push_refused)
		log_warn("run: SIDELIGHT_PUSH is not " PUSH_URL_WANTED ": nothing is pushed");
	if (c->is_otlp_refused)
		log_warn("run: SIDELIGHT_OTLP is not " PUSH_URL_WANTED
			 ": nothing is exported by OTLP");
	if (c->otlp || c->otel.is_refused)
		for (size_t i = 0; i < c->otel.problem_count; i++)
			log_warn("run: %s %s", c->otel.problems[i].variable,
				 c->otel.problems[i].what);
}

int exports_open(struct exports *x, uv_loop_t *loop, const struct exports_options *o)
{
	const struct options *c = o->command_line;
	int err = 0;

	*x = (struct exports){0};
	warn_of_environment(c);
	if (c->metrics_listen)
		err = open_scrape(x, loop, o);
	if (!err && c->push)
		err = open_push(x, loop, o);
	if (!err && c->otlp)
		err = open_otlp(x, loop, o);
	return err;
}

void exports_refresh(struct exports *x, struct self_metrics *self)
{
	if (x->scrape)
		self_metrics_scrape(self, scrape_stats(x->scrape));
	if (x->otlp)
		otlp_metrics_refresh(x->otlp_metrics, otlp_stats(x->otlp));
}

static void call_done(struct exports *x)
{
	if (!x->push && !x->otlp)
		x->done(x->ctx);
}

static void on_push_done(void *ctx)
{
	struct exports *x = ctx;

	push_close(x->push);
	x->push = NULL;
	call_done(x);
}

static void on_otlp_done(void *ctx)
{
	struct exports *x = ctx;

	otlp_close(x->otlp);
	x->otlp = NULL;
	call_done(x);
}

void exports_stop(struct exports *x, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx)
{
	bool is_silent = !x->push && !x->otlp;

	x->done = done;
	x->ctx = ctx;
	/* Neither calls back before it has returned. */
	if (x->push)
		push_stop(x->push, deadline_ms, on_push_done, x);
	if (x->otlp)
		otlp_stop(x->otlp, deadline_ms, on_otlp_done, x);
	if (is_silent)
		done(ctx);
}

void exports_close(struct exports *x)
{
	scrape_close(x->scrape);
	push_close(x->push);
	otlp_close(x->otlp);
	x->scrape = NULL;
	x->push = NULL;
	x->otlp = NULL;
}

void exports_release(struct exports *x)
{
	otlp_metrics_free(x->otlp_metrics);
	resource_release(&x->resource);
	pairs_release(&x->headers);
	x->otlp_metrics = NULL;
}
