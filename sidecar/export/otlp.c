/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "export/client.h"
#include "export/otlp_address.h"
#include "export/otlp_answer.h"
#include "export/otlp_fields.h"
#include "export/page.h"
#include "export/request.h"
#include "export/schedule.h"

struct otlp {
	struct otlp_options options;
	struct schedule schedule;
	struct client *client;
	struct request *request;
	CURL *running; /* NULL: nothing is under way */
	uint64_t started_ns;
	uint64_t collected_ns; /* when its values were, since 1970 */
	uint64_t taken_ns; /* the same of the last export that was taken; 0: none */
	uint64_t body_bytes; /* as sent */
	struct otlp_address address;
	struct otlp_fields fields;
	char answer[REQUEST_BODY_MAX]; /* of the export that is under way */
	size_t answer_len;
	bool has_outcome;
	enum otlp_result last; /* if has_outcome */
	struct otlp_stats stats;
};

/* How an export ended. */
struct outcome {
	enum otlp_result result;
	struct push_outcome http;
	struct otlp_answer answer; /* if it was taken */
};

static bool encode(void *ctx, text_part_fn part, void *part_ctx)
{
	struct otlp *x = ctx;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	x->collected_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return otlp_encode(x->options.registry, x->options.resource, x->collected_ns, x->taken_ns,
			   part, part_ctx);
}

/* An answer that is longer than there is room for is not wanted to its end. */
static bool on_answer(void *ctx, struct span part)
{
	struct otlp *x = ctx;

	if (part.len > sizeof(x->answer) - x->answer_len)
		return false;
	memcpy(x->answer + x->answer_len, part.ptr, part.len);
	x->answer_len += part.len;
	return true;
}

/* Answers after which the specification wants another try. */
static bool is_busy(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static enum otlp_result read_answer(const struct otlp *x, struct outcome *o)
{
	if (o->http.is_cut ||
	    !otlp_answer_read((struct span){x->answer, x->answer_len}, &o->answer))
		return OTLP_UNREAD;
	return o->answer.rejected_points ? OTLP_PARTIAL : OTLP_OK;
}

static enum otlp_result result_of(const struct otlp *x, struct outcome *o)
{
	static const enum otlp_result results[PUSH_RESULT_MAX] = {
		[PUSH_OK] = OTLP_OK,
		[PUSH_REFUSED] = OTLP_REFUSED,
		[PUSH_TIMEOUT] = OTLP_TIMEOUT,
		[PUSH_TLS] = OTLP_TLS,
		[PUSH_REJECTED] = OTLP_REJECTED,
		[PUSH_REDIRECTED] = OTLP_REDIRECTED,
		[PUSH_FAILED] = OTLP_FAILED,
		[PUSH_LOCAL] = OTLP_LOCAL,
	};

	if (o->http.result == PUSH_OK)
		return read_answer(x, o);
	return is_busy(o->http.status) ? OTLP_BUSY : results[o->http.result];
}

static bool is_taken(enum otlp_result result)
{
	return result == OTLP_OK || result == OTLP_PARTIAL || result == OTLP_UNREAD;
}

static void log_taken(const struct otlp *x, const struct outcome *o)
{
	const char *url = x->address.shown.ptr;
	const char *message = o->answer.message;

	if (o->result == OTLP_PARTIAL)
		log_warn("otlp: POST %s accepted, but for %" PRIu64 " points (%s)", url,
			 o->answer.rejected_points, *message ? message : "it does not say why");
	else if (o->result == OTLP_UNREAD)
		log_warn("otlp: POST %s accepted, with an answer that cannot be read (%s)", url,
			 o->http.is_cut ? "too long" : "not the protobuf of OTLP");
	else if (*message)
		log_info("otlp: POST %s accepted (%s)", url, message);
	else
		log_info("otlp: POST %s accepted", url);
}

static void log_failed(const struct otlp *x, const struct outcome *o, uint64_t next_ms)
{
	static const char *const verbs[OTLP_RESULT_MAX] = {
		[OTLP_REFUSED] = "refused",   [OTLP_TIMEOUT] = "timed out",
		[OTLP_TLS] = "failed in TLS", [OTLP_BUSY] = "put off",
		[OTLP_REJECTED] = "rejected", [OTLP_REDIRECTED] = "redirected",
		[OTLP_FAILED] = "failed",     [OTLP_LOCAL] = "not tried",
	};
	const char *url = x->address.shown.ptr;

	if (o->http.status == 413)
		log_warn("otlp: POST %s %s (%s); the body had %" PRIu64
			 " bytes: --series-cap bounds it",
			 url, verbs[o->result], o->http.detail, x->body_bytes);
	else if (next_ms)
		log_warn("otlp: POST %s %s (%s), next try in %.1f s", url, verbs[o->result],
			 o->http.detail, (double)next_ms / 1000);
	else
		log_warn("otlp: POST %s %s (%s)", url, verbs[o->result], o->http.detail);
}

/* Counts the outcome, and logs it if it is of another kind than the last. */
static void note_outcome(struct otlp *x, const struct outcome *o, uint64_t next_ms)
{
	bool is_news = !x->has_outcome || x->last != o->result;

	x->has_outcome = true;
	x->last = o->result;
	x->stats.results[o->result]++;
	x->stats.rejected_points += o->answer.rejected_points;
	x->stats.last_seconds = (double)(uv_hrtime() - x->started_ns) / 1e9;
	if (is_taken(o->result)) {
		x->stats.last_success = (double)time(NULL);
		x->taken_ns = x->collected_ns;
	}
	if (is_news && is_taken(o->result))
		log_taken(x, o);
	else if (is_news)
		log_failed(x, o, next_ms);
}

static enum schedule_result schedule_result(enum otlp_result result)
{
	if (is_taken(result))
		return SCHEDULE_OK;
	return result == OTLP_REJECTED || result == OTLP_REDIRECTED || result == OTLP_FAILED
		       ? SCHEDULE_REJECTED
		       : SCHEDULE_FAILED;
}

static void export_ended(struct otlp *x, const struct outcome *o)
{
	uint64_t wait_s = o->http.retry_after_s;
	uint64_t next_ms = 0;

	if (x->schedule.state == SCHEDULE_LAST) {
		note_outcome(x, o, 0);
		schedule_finish(&x->schedule);
		return;
	}
	next_ms = schedule_end(&x->schedule, schedule_result(o->result));
	if (wait_s > OTLP_RETRY_AFTER_MAX_S)
		wait_s = OTLP_RETRY_AFTER_MAX_S;
	if (o->result == OTLP_BUSY && wait_s)
		next_ms = schedule_defer(&x->schedule, wait_s * 1000);
	note_outcome(x, o, next_ms);
}

/* False if it cannot even be tried; then *ret_http says why. */
static bool begin(struct otlp *x, uint64_t timeout_ms, struct push_outcome *ret_http)
{
	static const struct push_outcome no_memory = {.result = PUSH_LOCAL, .detail = "no memory"};
	struct request_content content = {
		.method = "POST",
		.coding = x->options.is_plain ? PAGE_IDENTITY : PAGE_GZIP,
		.type = "application/x-protobuf",
		.part = on_answer,
		.ctx = x,
	};
	CURL *easy;

	x->started_ns = uv_hrtime();
	x->answer_len = 0;
	*ret_http = no_memory;
	if (x->options.before)
		x->options.before(x->options.ctx);
	content.body = page_make(encode, x);
	if (!content.body)
		return false;
	x->body_bytes = page_length(content.body, content.coding);
	easy = request_prepare(x->request, &content, timeout_ms ? timeout_ms : 1, ret_http);
	if (!easy)
		return false;
	if (client_start(x->client, easy) < 0) {
		*ret_http = no_memory;
		return false;
	}
	x->running = easy;
	return true;
}

static void begin_or_end(struct otlp *x, uint64_t timeout_ms)
{
	struct outcome o = {.result = OTLP_LOCAL};

	if (!begin(x, timeout_ms, &o.http))
		export_ended(x, &o);
}

static void cancel(struct otlp *x)
{
	if (x->running)
		client_cancel(x->client, x->running);
	x->running = NULL;
}

static void on_ended(void *ctx, CURL *easy, CURLcode code)
{
	struct otlp *x = ctx;
	struct outcome o = {0};

	(void)easy;
	x->running = NULL;
	request_outcome(x->request, code, &o.http);
	o.result = result_of(x, &o);
	export_ended(x, &o);
}

static void on_due(void *ctx)
{
	struct otlp *x = ctx;

	schedule_begin(&x->schedule);
	begin_or_end(x, x->options.timeout_ms);
}

static void on_last(void *ctx)
{
	struct otlp *x = ctx;

	begin_or_end(x, schedule_left_ms(&x->schedule));
}

static void on_expired(void *ctx)
{
	const struct outcome o = {
		.result = OTLP_TIMEOUT,
		.http = {.result = PUSH_TIMEOUT, .detail = "no time left"},
	};
	struct otlp *x = ctx;

	cancel(x);
	note_outcome(x, &o, 0);
	if (x->schedule.state == SCHEDULE_LAST)
		schedule_finish(&x->schedule);
}

static const struct schedule_ops schedule_ops = {
	.due = on_due,
	.expired = on_expired,
	.last = on_last,
};

static void on_closed(void *ctx)
{
	free(ctx);
}

void otlp_close(struct otlp *x)
{
	if (!x)
		return;
	if (x->client)
		cancel(x);
	request_free(x->request);
	client_close(x->client);
	otlp_address_release(&x->address);
	otlp_fields_release(&x->fields);
	schedule_close(&x->schedule, on_closed);
}

struct otlp *otlp_new(uv_loop_t *loop, const struct otlp_options *options, const char **ret_error)
{
	struct otlp *x = calloc(1, sizeof(*x));

	*ret_error = "no memory";
	if (!x)
		return NULL;
	x->options = *options;
	schedule_start(&x->schedule, loop, options->interval_ms, &schedule_ops, x);
	if (!otlp_fields_init(&x->fields, options->headers, options->token_file) ||
	    !otlp_address_init(&x->address, options->url, options->is_base, ret_error))
		goto fail;
	x->client = client_new(loop, on_ended, x);
	x->request = request_new(&(struct request_options){
		.url = x->address.url.ptr,
		.ca = options->ca,
		.cert = options->cert,
		.key = options->key,
		.token_file = options->token_file,
		.fields = (const char *const *)x->fields.lines,
	});
	if (!x->client || !x->request)
		goto fail;
	return x;
fail:
	otlp_close(x);
	return NULL;
}

const struct otlp_stats *otlp_stats(struct otlp *x)
{
	x->stats.skipped = x->schedule.skipped;
	return &x->stats;
}

void otlp_stop(struct otlp *x, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx)
{
	schedule_stop(&x->schedule, deadline_ms, done, ctx);
}
