/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many sidecars that push to one gateway, for tests/bench/scale: each has a registry, a grouping
 * key and a schedule of its own, and pushes by export/push.h. Each push has one more request for
 * every route than the one before it, so that the values in the gateway tell which push was the
 * last.
 *
 *     pushers URL
 *
 * Lines on standard input, each with one answer on standard output, which are single lines of JSON:
 *     start N       N more of them, which push every 15 s, as sidelight does by default
 *     interval MS   all push so often, which they begin one after the other within that time
 *     pause         none pushes any more, but who waits after a failure
 *     report        {"sent":N,"ok":N,"failed":N,"skipped":N,"open":N,"seconds":[...]}: since the
 *                   start, but for the durations, which are those since the last report
 *     values        [[ok,sent],...]: for each, how many requests its last push that was accepted
 *                   had for each route, and how many its last push had
 * The end of standard input ends it without a last push.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "export/push.h"
#include "metrics/red.h"
#include "metrics/self_metrics.h"

#define PUSHERS_MAX  5000
#define SERIES_MAX   400
#define GROUP_LABELS 3
#define INTERVAL_MS  15000u
#define TIMEOUT_MS   10000u
#define PAUSE_MS     3600000u
#define SPREAD_MS    10u

struct pusher {
	struct registry *registry;
	struct red *red;
	struct self_metrics *self;
	struct push *push;
	char pod[32];
	struct label group[GROUP_LABELS];
	long sent; /* pushes that began: requests for each route in the last one */
	long ok; /* of the last one that was accepted */
	uint64_t ended; /* pushes that were looked at */
	uint64_t accepted; /* of these */
};

static struct {
	uv_loop_t *loop;
	const char *url;
	uint64_t interval_ms;
	uv_poll_t input;
	uv_timer_t spread;
	uint64_t spread_start_ms;
	size_t spread_count; /* pushers that have the interval already */
	struct pusher *pushers[PUSHERS_MAX];
	size_t count;
	double *seconds;
	size_t second_count;
	size_t second_max;
} the;

static void feed(struct pusher *p)
{
	static const struct {
		const char *method;
		const char *route;
		uint16_t status;
		uint64_t ns;
	} mix[] = {{"GET", "/", 200, 400000},
		   {"GET", "/items/{id}", 200, 2000000},
		   {"POST", "/items", 201, 20000000},
		   {"GET", "/search", 503, 300000000},
		   {"GET", "/users/{id}", 404, 700000},
		   {"PUT", "/users/{id}", 200, 5000000},
		   {"DELETE", "/items/{id}", 204, 1000000},
		   {"GET", "/healthz", 200, 100000}};

	for (size_t m = 0; m < sizeof(mix) / sizeof(mix[0]); m++) {
		const struct transaction t = {
			.role = ROLE_SERVER,
			.container = 1,
			.known_method = mix[m].method,
			.route = mix[m].route,
			.server_address = "",
			.http = {.version = HTTP_1_1, .status = mix[m].status},
			.end_ns = mix[m].ns,
		};

		red_sink.done(p->red, &t);
	}
}

static void add_seconds(double seconds)
{
	if (the.second_count == the.second_max) {
		size_t max = the.second_max ? 2 * the.second_max : 1024;
		double *more = realloc(the.seconds, max * sizeof(*more));

		if (!more)
			abort();
		the.seconds = more;
		the.second_max = max;
	}
	the.seconds[the.second_count++] = seconds;
}

static uint64_t ended(const struct push_stats *stats)
{
	uint64_t sum = 0;

	for (int i = 0; i < PUSH_RESULT_MAX; i++)
		sum += stats->results[i];
	return sum;
}

/* A push that has ended since the last look. */
static void look(struct pusher *p)
{
	const struct push_stats *stats = push_stats(p->push);

	if (ended(stats) == p->ended)
		return;
	p->ended = ended(stats);
	add_seconds(stats->last_seconds);
	if (stats->results[PUSH_OK] > p->accepted)
		p->ok = p->sent;
	p->accepted = stats->results[PUSH_OK];
}

/* A push begins. */
static void before(void *ctx)
{
	struct pusher *p = ctx;

	look(p);
	feed(p);
	p->sent++;
	self_metrics_refresh(p->self, NULL, push_stats(p->push));
}

static void start_one(void)
{
	struct pusher *p = calloc(1, sizeof(*p));
	const char *error = "no memory";

	if (!p || the.count == PUSHERS_MAX)
		abort();
	(void)snprintf(p->pod, sizeof(p->pod), "web-5d8f7c9b6d-%05zu", the.count);
	p->group[0] = (struct label){"job", "web"};
	p->group[1] = (struct label){"namespace", "shop"};
	p->group[2] = (struct label){"pod", p->pod};
	p->registry = registry_new(SERIES_MAX);
	p->red = red_new(p->registry, &(struct red_options){0});
	p->self = self_metrics_new(p->registry);
	(void)red_container(p->red, 1, "app");
	p->push = push_new(the.loop,
			   &(struct push_options){.url = the.url,
						  .interval_ms = the.interval_ms,
						  .timeout_ms = TIMEOUT_MS,
						  .group = p->group,
						  .group_count = GROUP_LABELS,
						  .registry = p->registry,
						  .before = before,
						  .ctx = p},
			   &error);
	if (!p->push) {
		(void)fprintf(stderr, "pushers: %s\n", error);
		exit(1);
	}
	the.pushers[the.count++] = p;
}

/* Who begins together goes on together: the jitter of the schedule is a tenth of an interval. */
static void on_spread(uv_timer_t *timer)
{
	uint64_t passed_ms = uv_now(the.loop) - the.spread_start_ms;
	uint64_t due = passed_ms * the.count / the.interval_ms;

	while (the.spread_count < the.count && the.spread_count < due)
		push_set_interval(the.pushers[the.spread_count++]->push, the.interval_ms);
	if (the.spread_count == the.count)
		(void)uv_timer_stop(timer);
}

static void set_interval(long ms)
{
	the.interval_ms = ms > 0 ? (uint64_t)ms : 1;
	the.spread_start_ms = uv_now(the.loop);
	the.spread_count = 0;
	(void)uv_timer_start(&the.spread, on_spread, SPREAD_MS, SPREAD_MS);
}

/* No more pushes. */
static void pause_all(void)
{
	(void)uv_timer_stop(&the.spread);
	for (size_t i = 0; i < the.count; i++)
		push_set_interval(the.pushers[i]->push, PAUSE_MS);
}

static void report(void)
{
	uint64_t sent = 0;
	uint64_t over = 0;
	uint64_t ok = 0;
	uint64_t skipped = 0;

	for (size_t i = 0; i < the.count; i++) {
		struct pusher *p = the.pushers[i];

		look(p);
		sent += (uint64_t)p->sent;
		over += p->ended;
		ok += p->accepted;
		skipped += push_stats(p->push)->skipped;
	}
	(void)printf("{\"sent\":%llu,\"ok\":%llu,\"failed\":%llu,\"skipped\":%llu,\"open\":%llu,"
		     "\"seconds\":[",
		     (unsigned long long)sent, (unsigned long long)ok,
		     (unsigned long long)(over - ok), (unsigned long long)skipped,
		     (unsigned long long)(sent - over));
	for (size_t i = 0; i < the.second_count; i++)
		(void)printf("%s%.6f", i ? "," : "", the.seconds[i]);
	(void)printf("]}\n");
	the.second_count = 0;
}

static void values(void)
{
	for (size_t i = 0; i < the.count; i++) {
		look(the.pushers[i]);
		(void)printf("%s[%ld,%ld]", i ? "," : "[", the.pushers[i]->ok,
			     the.pushers[i]->sent);
	}
	(void)printf("]\n");
}

static void obey(const char *line)
{
	if (strncmp(line, "start ", 6) == 0) {
		for (long n = atol(line + 6); n > 0; n--)
			start_one();
		(void)printf("%zu\n", the.count);
	} else if (strncmp(line, "interval ", 9) == 0) {
		set_interval(atol(line + 9));
		(void)printf("%zu\n", the.count);
	} else if (strncmp(line, "pause", 5) == 0) {
		pause_all();
		(void)printf("%zu\n", the.count);
	} else if (strncmp(line, "report", 6) == 0) {
		report();
	} else if (strncmp(line, "values", 6) == 0) {
		values();
	} else {
		exit(2);
	}
	(void)fflush(stdout);
}

/* The bench writes one line and waits for its answer, so a read is a line. */
static void on_input(uv_poll_t *poll, int status, int events)
{
	char line[64];
	ssize_t n = read(0, line, sizeof(line) - 1);

	(void)poll;
	(void)status;
	(void)events;
	if (n <= 0)
		exit(0);
	line[n] = '\0';
	obey(line);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	the.loop = uv_default_loop();
	the.url = argv[1];
	the.interval_ms = INTERVAL_MS;
	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	(void)uv_timer_init(the.loop, &the.spread);
	(void)uv_poll_init(the.loop, &the.input, 0);
	(void)uv_poll_start(&the.input, UV_READABLE, on_input);
	(void)uv_run(the.loop, UV_RUN_DEFAULT);
	return 0;
}
