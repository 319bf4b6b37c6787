/* SPDX-License-Identifier: Apache-2.0 */
#include "export/push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "export/client.h"
#include "export/group_watch.h"
#include "export/push_address.h"
#include "export/request.h"

#define FIRST_MS	5000u /* the first push comes within this time */
#define INTERVAL_MIN_MS 100u
#define BACKOFF_MIN_MS	1000u
#define BACKOFF_CAP_MS	60000u

enum state { WAIT, PUT, CHECK_AFTER, CHECK_BEFORE, LINGER, FINAL, DELETE, DONE };

struct push {
	struct push_options options;
	enum state state;
	uv_loop_t *loop;
	uv_timer_t timer; /* WAIT, PUT: the next push; LINGER and after: patience */
	struct client *client;
	struct request *request;
	CURL *running; /* NULL: nothing is */
	uint64_t started_ns;
	struct push_address address;
	struct group_watch watch;
	bool has_logged[PUSH_GROUP_MAX]; /* each result of a check is logged once */
	struct label *labels; /* those of the options that are not in the grouping key */
	size_t label_count;
	bool is_plain; /* this gateway takes no gzip */
	bool has_outcome;
	enum push_result last; /* if has_outcome */
	unsigned failures; /* in a row */
	struct push_stats stats;
	uint64_t random;
	uint64_t stop_at_ms;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* A part of ms between these shares (in 1/1000). */
static uint64_t jitter(struct push *p, uint64_t ms, uint64_t from, uint64_t to)
{
	p->random = hash_mix(p->random, 1);
	return ms * (from + p->random % (to - from + 1)) / 1000;
}

static void on_timer(uv_timer_t *timer);

static void wait_ms(struct push *p, uint64_t ms)
{
	(void)uv_timer_start(&p->timer, on_timer, ms, 0); /* has a callback */
}

/* The registry as it is now; NULL: no memory. */
static struct page *make_body(struct push *p)
{
	if (p->options.before)
		p->options.before(p->options.ctx);
	return page_new(p->options.registry, TEXT_PROMETHEUS, p->labels, p->label_count);
}

static uint64_t backoff_ms(struct push *p, enum push_result result)
{
	uint64_t interval = p->options.interval_ms;
	uint64_t cap = interval > BACKOFF_CAP_MS ? interval : BACKOFF_CAP_MS;
	/* What the gateway will not take now, it will hardly take in a second. */
	bool is_patient = result == PUSH_REJECTED || result == PUSH_REDIRECTED;
	uint64_t ms = is_patient || interval < BACKOFF_MIN_MS ? interval : BACKOFF_MIN_MS;

	for (unsigned i = 1; i < p->failures && ms < cap; i++)
		ms *= 2;
	return jitter(p, ms < cap ? ms : cap, 500, 1000);
}

static const char *result_verb(enum push_result result)
{
	static const char *const verbs[PUSH_RESULT_MAX] = {
		[PUSH_OK] = "accepted",	      [PUSH_REFUSED] = "refused",
		[PUSH_TIMEOUT] = "timed out", [PUSH_TLS] = "failed in TLS",
		[PUSH_REJECTED] = "rejected", [PUSH_REDIRECTED] = "redirected",
		[PUSH_FAILED] = "failed",     [PUSH_LOCAL] = "not tried",
	};

	return verbs[result];
}

/* Counts the outcome of a PUT, and logs it if it is of another kind than the last. */
static void put_ended(struct push *p, const struct outcome *o, uint64_t next_ms)
{
	bool is_news = !p->has_outcome || p->last != o->result;

	p->has_outcome = true;
	p->last = o->result;
	p->stats.results[o->result]++;
	p->stats.last_seconds = (double)(uv_hrtime() - p->started_ns) / 1e9;
	if (o->result == PUSH_OK)
		p->stats.last_success = (double)time(NULL);
	if (!is_news)
		return;
	if (o->result == PUSH_OK)
		log_info("push: PUT %s accepted", p->address.shown.ptr);
	else if (next_ms)
		log_warn("push: PUT %s %s (%s), next try in %.1f s", p->address.shown.ptr,
			 result_verb(o->result), o->detail, (double)next_ms / 1000);
	else
		log_warn("push: PUT %s %s (%s)", p->address.shown.ptr, result_verb(o->result),
			 o->detail);
}

/* A page was read, or could not be: counts the result of the check, and logs it the first time. */
static void check_ended(struct push *p, const struct outcome *o)
{
	bool is_complete = o->result == PUSH_OK && !o->is_cut;
	enum push_group group = group_watch_end(&p->watch, is_complete);

	if (group_watch_is_pending(&p->watch))
		return;
	p->stats.groups[group]++;
	/* Of a gateway that is away, the next push tells. */
	if (p->has_logged[group] || o->result == PUSH_REFUSED)
		return;
	p->has_logged[group] = true;
	if (group == PUSH_GROUP_FOREIGN)
		log_warn("push: somebody else pushes to %s: each replaces the series of the other; "
			 "another --job tells them apart",
			 p->address.shown.ptr);
	else if (group == PUSH_GROUP_GONE)
		log_info("push: %s was gone before a push: somebody deleted it, or the gateway was "
			 "started anew",
			 p->address.shown.ptr);
	else if (group == PUSH_GROUP_UNREAD)
		log_info("push: whether somebody else pushes to %s is not known: the gateway's "
			 "/metrics %s (%s)",
			 p->address.shown.ptr,
			 o->result == PUSH_OK ? "does not tell" : "cannot be read",
			 o->result == PUSH_OK ? "too long, or without its time" : o->detail);
}

static void put_begin(struct push *p);

/* Reads the gateway's page after a push, or before the next. */
static void check_begin(struct push *p, enum state state)
{
	struct outcome o;
	CURL *easy;

	p->state = state;
	group_watch_begin(&p->watch);
	easy = request_prepare_get(p->request, p->address.page.ptr, group_watch_read, &p->watch,
				   p->options.timeout_ms, &o);
	if (easy && client_start(p->client, easy) == 0) {
		p->running = easy;
		return;
	}
	check_ended(p, &o);
	if (state == CHECK_BEFORE)
		put_begin(p);
	else
		p->state = WAIT;
}

/* After a PUT in state WAIT or PUT: when does the next one come? */
static void put_next(struct push *p, const struct outcome *o)
{
	uint64_t ms = 0;

	p->state = WAIT;
	if (o->result == PUSH_OK) {
		p->failures = 0;
	} else {
		p->failures++;
		/* Gateways from before 1.5 understand no gzip and call it bad text. */
		if (!p->stats.last_success && (o->status == 400 || o->status == 415))
			p->is_plain = !p->is_plain;
		ms = backoff_ms(p, o->result);
		wait_ms(p,
			ms); /* instead of the interval, which counts from the start of the push */
	}
	put_ended(p, o, ms);
	group_watch_forget(&p->watch);
	/* 202: it will be carried out later, at a time that is not known yet. */
	if (o->result == PUSH_OK && o->status == 200 && group_watch_accepted(&p->watch))
		check_begin(p, CHECK_AFTER);
}

/* Starts a PUT or a DELETE; false if it cannot even be tried. */
static bool begin(struct push *p, bool is_put, uint64_t timeout_ms, struct outcome *ret_outcome)
{
	struct page *body = NULL;
	CURL *easy;

	p->started_ns = uv_hrtime();
	*ret_outcome = (struct outcome){.result = PUSH_LOCAL, .detail = "no memory"};
	if (is_put && !(body = make_body(p)))
		return false;
	easy = request_prepare(p->request, body, p->is_plain ? PAGE_IDENTITY : PAGE_GZIP,
			       timeout_ms ? timeout_ms : 1, ret_outcome);
	if (!easy)
		return false;
	if (client_start(p->client, easy) < 0) {
		*ret_outcome = (struct outcome){.result = PUSH_LOCAL, .detail = "no memory"};
		return false;
	}
	p->running = easy;
	return true;
}

/* done() may close p, so it is called from the timer, not from within a transfer. */
static void finish(struct push *p)
{
	p->state = DONE;
	wait_ms(p, 0);
}

static uint64_t left_ms(const struct push *p)
{
	uint64_t now = uv_now(p->loop);

	return p->stop_at_ms > now ? p->stop_at_ms - now : 0;
}

static void delete_ended(struct push *p, const struct outcome *o)
{
	if (o->result != PUSH_OK)
		log_warn("push: DELETE %s %s (%s): the group stays", p->address.shown.ptr,
			 result_verb(o->result), o->detail);
	finish(p);
}

/* Also after a last push that failed: a failed push creates the group. */
static void delete_begin(struct push *p)
{
	struct outcome o;

	p->state = DELETE;
	if (p->options.keeps_on_exit)
		finish(p);
	else if (!begin(p, false, left_ms(p), &o))
		delete_ended(p, &o);
}

static void final_begin(struct push *p)
{
	struct outcome o;

	p->state = FINAL;
	wait_ms(p, left_ms(p));
	/* Half of what is left, so that there is time for the DELETE. */
	if (begin(p, true, p->options.keeps_on_exit ? left_ms(p) : left_ms(p) / 2, &o))
		return;
	put_ended(p, &o, 0);
	delete_begin(p);
}

static void put_begin(struct push *p)
{
	struct outcome o;

	p->state = PUT;
	wait_ms(p, jitter(p, p->options.interval_ms, 900, 1100));
	if (!begin(p, true, p->options.timeout_ms, &o))
		put_next(p, &o);
}

static void on_ended(void *ctx, CURL *easy, CURLcode code)
{
	struct push *p = ctx;
	struct outcome o;

	(void)easy;
	p->running = NULL;
	request_outcome(p->request, code, &o);
	switch (p->state) {
	case PUT:
		put_next(p, &o);
		break;
	case CHECK_AFTER:
		check_ended(p, &o);
		p->state = WAIT;
		break;
	case CHECK_BEFORE:
		check_ended(p, &o);
		put_begin(p);
		break;
	case LINGER:
		put_ended(p, &o, 0);
		final_begin(p);
		break;
	case FINAL:
		put_ended(p, &o, 0);
		delete_begin(p);
		break;
	case DELETE:
		delete_ended(p, &o);
		break;
	case WAIT:
	case DONE:
		break; /* nothing runs in these states */
	}
}

static void cancel(struct push *p)
{
	if (p->running)
		client_cancel(p->client, p->running);
	p->running = NULL;
}

static void on_timer(uv_timer_t *timer)
{
	struct push *p = timer->data;
	struct outcome o = {.result = PUSH_TIMEOUT, .detail = "no time left"};

	switch (p->state) {
	case WAIT:
		if (group_watch_is_pending(&p->watch))
			check_begin(p, CHECK_BEFORE);
		else
			put_begin(p);
		break;
	case CHECK_AFTER:
		cancel(p);
		check_ended(p, &o);
		put_begin(p);
		break;
	case CHECK_BEFORE:
		break; /* the request has a time limit of its own */
	case PUT:
		p->stats.skipped++;
		wait_ms(p, jitter(p, p->options.interval_ms, 900, 1100));
		break;
	case LINGER:
		cancel(p);
		put_ended(p, &o, 0);
		final_begin(p);
		break;
	case FINAL:
	case DELETE:
		cancel(p);
		delete_ended(p, &o);
		break;
	case DONE:
		p->done(p->done_ctx);
		break;
	}
}

static bool is_grouped(const struct push_options *o, const char *name)
{
	for (size_t i = 0; i < o->group_count; i++)
		if (strcmp(o->group[i].name, name) == 0)
			return true;
	return false;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void push_close(struct push *p)
{
	if (!p)
		return;
	if (p->client)
		cancel(p);
	request_free(p->request);
	client_close(p->client);
	push_address_release(&p->address);
	group_watch_release(&p->watch);
	free(p->labels);
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

struct push *push_new(uv_loop_t *loop, const struct push_options *options, const char **ret_error)
{
	struct push *p = calloc(1, sizeof(*p));

	*ret_error = "no memory";
	if (!p)
		return NULL;
	p->options = *options;
	if (p->options.interval_ms < INTERVAL_MIN_MS)
		p->options.interval_ms = INTERVAL_MIN_MS;
	p->loop = loop;
	(void)uv_timer_init(loop, &p->timer); /* cannot fail */
	p->timer.data = p;
	/* Pods that start together should not push together. */
	if (getrandom(&p->random, sizeof(p->random), GRND_NONBLOCK) < 0)
		p->random = uv_hrtime();
	p->labels = calloc(options->label_count + 1, sizeof(p->labels[0]));
	if (!p->labels)
		goto fail;
	for (size_t i = 0; i < options->label_count; i++)
		if (!is_grouped(options, options->labels[i].name))
			p->labels[p->label_count++] = options->labels[i];
	if (!group_watch_init(&p->watch, options->group, options->group_count) ||
	    !push_address_init(&p->address, options->url, options->group, options->group_count,
			       ret_error))
		goto fail;
	p->client = client_new(loop, on_ended, p);
	p->request = request_new(&(struct request_options){
		.url = p->address.group.ptr,
		.ca = options->ca,
		.cert = options->cert,
		.key = options->key,
		.user_file = options->user_file,
		.token_file = options->token_file,
	});
	if (!p->client || !p->request)
		goto fail;
	wait_ms(p, jitter(p, options->interval_ms < FIRST_MS ? options->interval_ms : FIRST_MS, 0,
			  1000));
	return p;
fail:
	push_close(p);
	return NULL;
}

const struct push_stats *push_stats(const struct push *p)
{
	return &p->stats;
}

void push_set_interval(struct push *p, uint64_t interval_ms)
{
	p->options.interval_ms = interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : interval_ms;
	if (p->state == PUT || ((p->state == WAIT || p->state == CHECK_AFTER) && p->failures == 0))
		wait_ms(p, jitter(p, p->options.interval_ms, 900, 1100));
}

void push_stop(struct push *p, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx)
{
	uv_update_time(p->loop);
	p->stop_at_ms = uv_now(p->loop) + deadline_ms;
	p->done = done;
	p->done_ctx = ctx;
	if (p->state == PUT) {
		/*
		 * Cutting it off now could let the gateway carry it out after the
		 * DELETE, and the group would stay for ever.
		 */
		p->state = LINGER;
		wait_ms(p, deadline_ms / 3);
	} else {
		cancel(p); /* of the page, if it is being read */
		final_begin(p);
	}
}
