/* SPDX-License-Identifier: Apache-2.0 */
#include "export/push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "export/client.h"
#include "export/group_watch.h"
#include "export/push_address.h"
#include "export/push_format.h"
#include "export/request.h"
#include "export/schedule.h"

/* The transfer that is under way. */
enum transfer { NONE, PUT, STATUS, CHECK, DELETE };

struct push {
	struct push_options options;
	struct schedule schedule;
	struct client *client;
	struct request *request;
	enum transfer transfer;
	CURL *running; /* NULL: NONE */
	uint64_t started_ns;
	struct push_address address;
	struct push_format format;
	struct group_watch watch;
	bool wants_check; /* after STATUS */
	bool has_logged[PUSH_GROUP_MAX]; /* each result of a check is logged once */
	struct label *labels; /* those of the options that are not in the grouping key */
	size_t label_count;
	bool is_plain; /* this gateway takes no gzip */
	bool has_outcome;
	enum push_result last; /* if has_outcome */
	struct push_stats stats;
};

/* The registry as it is now; NULL: no memory. */
static struct page *make_body(struct push *p)
{
	if (p->options.before)
		p->options.before(p->options.ctx);
	return page_new(p->options.registry, push_format_page(&p->format), p->labels,
			p->label_count);
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

/* Lets the outcome of a PUT decide on the format of the next one. */
static void format_ended(struct push *p, const struct push_outcome *o)
{
	bool was_refused = p->format.is_refused;
	bool has_given_up = push_format_ended(&p->format, o->result, o->status);

	p->stats.protobuf_refused += p->format.is_refused && !was_refused;
	if (has_given_up)
		log_info("push: %s takes no protobuf: it gets text from now on, which takes a "
			 "Pushgateway ten times as long",
			 p->address.shown.ptr);
}

/* Counts the outcome of a PUT, and logs it if it is of another kind than the last. */
static void put_ended(struct push *p, const struct push_outcome *o, uint64_t next_ms)
{
	bool is_news = !p->has_outcome || p->last != o->result;

	p->has_outcome = true;
	p->last = o->result;
	p->stats.results[o->result]++;
	p->stats.last_seconds = (double)(uv_hrtime() - p->started_ns) / 1e9;
	format_ended(p, o);
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
static void check_ended(struct push *p, const struct push_outcome *o)
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

/* Starts what was prepared; false: no memory. */
static bool start(struct push *p, enum transfer transfer, CURL *easy)
{
	if (client_start(p->client, easy) < 0)
		return false;
	p->transfer = transfer;
	p->running = easy;
	return true;
}

static void cancel(struct push *p)
{
	if (p->running)
		client_cancel(p->client, p->running);
	p->running = NULL;
	p->transfer = NONE;
}

/* Reads the gateway's page after a push, or before the next. False if it cannot even be tried. */
static bool check_begin(struct push *p)
{
	struct push_outcome o;
	CURL *easy;

	group_watch_begin(&p->watch);
	easy = request_prepare_get(p->request,
				   &(struct request_read){.url = p->address.page.ptr,
							  .accept = "text/plain",
							  .takes_gzip = true,
							  .part = group_watch_read,
							  .ctx = &p->watch},
				   p->options.timeout_ms, &o);
	if (easy && start(p, CHECK, easy))
		return true;
	check_ended(p, &o);
	return false;
}

/* Asks the gateway what it is. False if it cannot even be tried. */
static bool status_begin(struct push *p)
{
	struct push_outcome o;
	CURL *easy;

	push_format_begin_status(&p->format);
	easy = request_prepare_get(p->request,
				   &(struct request_read){.url = p->address.status.ptr,
							  .accept = "application/json",
							  .part = push_format_read_status,
							  .ctx = &p->format},
				   p->options.timeout_ms, &o);
	return easy && start(p, STATUS, easy);
}

static void status_ended(struct push *p, const struct push_outcome *o)
{
	push_format_end_status(&p->format, o->result == PUSH_OK && o->status == 200 && !o->is_cut);
	if (p->wants_check)
		(void)check_begin(p); /* else the next push tells */
}

static enum schedule_result schedule_result(enum push_result result)
{
	if (result == PUSH_OK)
		return SCHEDULE_OK;
	return result == PUSH_REJECTED || result == PUSH_REDIRECTED ? SCHEDULE_REJECTED
								    : SCHEDULE_FAILED;
}

/* Another push follows, which is not the last one. */
static void put_next(struct push *p, const struct push_outcome *o)
{
	/* Gateways from before 1.5 understand no gzip and call it bad text. */
	if (o->result != PUSH_OK && !p->stats.last_success &&
	    (o->status == 400 || o->status == 415))
		p->is_plain = !p->is_plain;
	put_ended(p, o, schedule_end(&p->schedule, schedule_result(o->result)));
	group_watch_forget(&p->watch);
	/* 202: it will be carried out later, at a time that is not known yet. */
	p->wants_check =
		o->result == PUSH_OK && o->status == 200 && group_watch_accepted(&p->watch);
	if (push_format_asks(&p->format) && o->result == PUSH_OK && status_begin(p))
		return;
	if (p->wants_check)
		(void)check_begin(p); /* else the next push tells */
}

/* Starts a PUT or a DELETE; false if it cannot even be tried. */
static bool begin(struct push *p, enum transfer transfer, uint64_t timeout_ms,
		  struct push_outcome *ret_outcome)
{
	struct page *body = NULL;
	CURL *easy;

	p->started_ns = uv_hrtime();
	*ret_outcome = (struct push_outcome){.result = PUSH_LOCAL, .detail = "no memory"};
	if (transfer == PUT && !(body = make_body(p)))
		return false;
	easy = request_prepare(
		p->request,
		&(struct request_content){.method = transfer == PUT ? "PUT" : "DELETE",
					  .body = body,
					  .coding = p->is_plain ? PAGE_IDENTITY : PAGE_GZIP,
					  .type = page_type(push_format_page(&p->format))},
		timeout_ms ? timeout_ms : 1, ret_outcome);
	if (!easy)
		return false;
	if (start(p, transfer, easy))
		return true;
	*ret_outcome = (struct push_outcome){.result = PUSH_LOCAL, .detail = "no memory"};
	return false;
}

static void delete_ended(struct push *p, const struct push_outcome *o)
{
	if (o->result != PUSH_OK)
		log_warn("push: DELETE %s %s (%s): the group stays", p->address.shown.ptr,
			 result_verb(o->result), o->detail);
	schedule_finish(&p->schedule);
}

/* Also after a last push that failed: a failed push creates the group. */
static void delete_begin(struct push *p)
{
	struct push_outcome o;

	if (p->options.keeps_on_exit)
		schedule_finish(&p->schedule);
	else if (!begin(p, DELETE, schedule_left_ms(&p->schedule), &o))
		delete_ended(p, &o);
}

static void on_last(void *ctx)
{
	struct push *p = ctx;
	uint64_t left_ms = schedule_left_ms(&p->schedule);
	struct push_outcome o;

	cancel(p); /* of the page, if it is being read */
	/* Half of what is left, so that there is time for the DELETE. */
	if (begin(p, PUT, p->options.keeps_on_exit ? left_ms : left_ms / 2, &o))
		return;
	put_ended(p, &o, 0);
	delete_begin(p);
}

static void put_begin(struct push *p)
{
	struct push_outcome o;

	schedule_begin(&p->schedule);
	if (!begin(p, PUT, p->options.timeout_ms, &o))
		put_next(p, &o);
}

static void put_is_over(struct push *p, const struct push_outcome *o)
{
	switch (p->schedule.state) {
	case SCHEDULE_PUSHING:
		put_next(p, o);
		break;
	case SCHEDULE_LINGERING:
		put_ended(p, o, schedule_end(&p->schedule, schedule_result(o->result)));
		break;
	default:
		put_ended(p, o, 0);
		delete_begin(p);
	}
}

static void on_ended(void *ctx, CURL *easy, CURLcode code)
{
	struct push *p = ctx;
	enum transfer ended = p->transfer;
	struct push_outcome o;

	(void)easy;
	p->running = NULL;
	p->transfer = NONE;
	request_outcome(p->request, code, &o);
	switch (ended) {
	case PUT:
		put_is_over(p, &o);
		break;
	case STATUS:
		status_ended(p, &o);
		break;
	case CHECK:
		check_ended(p, &o);
		if (p->schedule.state == SCHEDULE_DUE)
			put_begin(p);
		break;
	case DELETE:
		delete_ended(p, &o);
		break;
	case NONE:
		break; /* nothing was under way */
	}
}

static const struct push_outcome no_time = {.result = PUSH_TIMEOUT, .detail = "no time left"};

static void on_due(void *ctx)
{
	struct push *p = ctx;

	if (p->transfer == STATUS) {
		cancel(p);
		if (p->wants_check) {
			group_watch_begin(&p->watch);
			check_ended(p, &no_time);
		}
		put_begin(p);
	} else if (p->transfer == CHECK) {
		cancel(p);
		check_ended(p, &no_time);
		put_begin(p);
	} else if (!group_watch_is_pending(&p->watch) || !check_begin(p)) {
		put_begin(p);
	}
}

static void on_expired(void *ctx)
{
	struct push *p = ctx;

	cancel(p);
	if (p->schedule.state == SCHEDULE_LAST)
		delete_ended(p, &no_time);
	else
		put_ended(p, &no_time, 0);
}

static const struct schedule_ops schedule_ops = {
	.due = on_due,
	.expired = on_expired,
	.last = on_last,
};

static bool is_grouped(const struct push_options *o, const char *name)
{
	for (size_t i = 0; i < o->group_count; i++)
		if (strcmp(o->group[i].name, name) == 0)
			return true;
	return false;
}

static void on_closed(void *ctx)
{
	free(ctx);
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
	push_format_release(&p->format);
	group_watch_release(&p->watch);
	free(p->labels);
	schedule_close(&p->schedule, on_closed);
}

struct push *push_new(uv_loop_t *loop, const struct push_options *options, const char **ret_error)
{
	struct push *p = calloc(1, sizeof(*p));

	*ret_error = "no memory";
	if (!p)
		return NULL;
	p->options = *options;
	schedule_start(&p->schedule, loop, options->interval_ms, &schedule_ops, p);
	p->labels = calloc(options->label_count + 1, sizeof(p->labels[0]));
	if (!p->labels)
		goto fail;
	for (size_t i = 0; i < options->label_count; i++)
		if (!is_grouped(options, options->labels[i].name))
			p->labels[p->label_count++] = options->labels[i];
	push_format_init(&p->format, options->needs_protobuf);
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
	return p;
fail:
	push_close(p);
	return NULL;
}

const struct push_stats *push_stats(struct push *p)
{
	p->stats.skipped = p->schedule.skipped;
	return &p->stats;
}

void push_set_interval(struct push *p, uint64_t interval_ms)
{
	schedule_set_interval(&p->schedule, interval_ms);
}

/*
 * A push that is under way is not cut off at once: the gateway could carry it out after the DELETE,
 * and the group would stay for ever.
 */
void push_stop(struct push *p, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx)
{
	schedule_stop(&p->schedule, deadline_ms, done, ctx);
}
