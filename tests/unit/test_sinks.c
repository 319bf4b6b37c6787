/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn/sinks: sinks that come and go while an engine works, also from within their own callbacks,
 * and what is kept of a request for those that are there when it begins.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "http2_script.h"
#include "txn/sinks.h"

/* --- the set ----------------------------------------------------------------------- */

static struct {
	struct sinks sinks;
	char calls[64]; /* names of the sinks in the order of their calls */
	const char *plan; /* what the sink that is called does, once */
} the;

static void on_done(void *ctx, const struct transaction *t);

static const struct txn_sink recorder = {.done = on_done};

/* Their addresses are the contexts. */
static const char names[] = "abcdefghijklm";

static void *named(char name)
{
	return (void *)(uintptr_t)strchr(names, name);
}

/* Words "+x" and "-x", which add and remove sinks. */
static void carry_out(const char *plan)
{
	for (const char *p = plan; p[0] && p[1]; p += 2) {
		if (p[0] == '+')
			assert_int_equal(sinks_add(&the.sinks, &recorder, named(p[1])), 0);
		else
			sinks_remove(&the.sinks, &recorder, named(p[1]));
	}
}

static void on_done(void *ctx, const struct transaction *t)
{
	size_t len = strlen(the.calls);
	const char *name = ctx;

	(void)t;
	assert_true(len + 1 < sizeof(the.calls));
	the.calls[len] = *name;
	/* "b:-a+c" is for sink b. */
	if (the.plan && the.plan[0] == *name) {
		const char *plan = the.plan + 2;

		the.plan = NULL;
		carry_out(plan);
	}
}

static const struct {
	const char *why;
	const char *before;
	const char *plan;
	const char *want; /* calls of this transaction */
	const char *want_next;
} changes[] = {
	{"they are called in the order of addition", "+b+a+c", NULL, "bac", "bac"},
	{"one that was removed is not called", "+a+b+c-b", NULL, "ac", "ac"},
	{"one that was added again stands behind", "+a+b-a+a", NULL, "ba", "ba"},
	{"the removal of one that is not there changes nothing", "+a-b-c", NULL, "a", "a"},
	{"one removes itself: those behind it still get this transaction", "+a+b+c", "a:-a", "abc",
	 "bc"},
	{"the last one removes itself", "+a+b", "b:-b", "ab", "a"},
	{"the only one removes itself", "+a", "a:-a", "a", ""},
	{"one removes the next one, which does not get this transaction", "+a+b+c", "a:-b", "ac",
	 "ac"},
	{"one removes the last one", "+a+b+c", "a:-c", "ab", "ab"},
	{"one removes an earlier one: every sink is called once", "+a+b+c", "b:-a", "abc", "bc"},
	{"one removes all", "+a+b+c", "b:-a-b-c", "ab", ""},
	{"one that is added gets the next transaction first", "+a+b", "a:+c", "ab", "abc"},
	{"also in the place of one that was removed", "+a+b", "a:-b+c", "a", "ac"},
	{"one removes and adds itself", "+a+b", "a:-a+a", "ab", "ba"},
	{"one adds and removes the same", "+a+b", "a:+c-c", "ab", "ab"},
};

static void hand_out(const char *why, const char *want)
{
	const struct transaction t = {.role = ROLE_SERVER};

	memset(the.calls, 0, sizeof(the.calls));
	sinks_done(&the.sinks, &t);
	if (strcmp(the.calls, want) != 0)
		fail_msg("%s: \"%s\" were called, not \"%s\"", why, the.calls, want);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		memset(&the, 0, sizeof(the));
		carry_out(changes[i].before);
		the.plan = changes[i].plan;
		hand_out(changes[i].why, changes[i].want);
		assert_null(the.plan);
		hand_out(changes[i].why, changes[i].want_next);
		hand_out(changes[i].why, changes[i].want_next);
	}
}

static void test_full(void **state)
{
	(void)state;
	memset(&the, 0, sizeof(the));
	for (int i = 0; i < SINKS_MAX; i++)
		assert_int_equal(sinks_add(&the.sinks, &recorder, named(names[i])), 0);
	assert_int_equal(sinks_add(&the.sinks, &recorder, named('m')), -ENOSPC);
	hand_out("as many as there may be", "abcdefghijkl");
	carry_out("-a+m");
	hand_out("one has made room", "bcdefghijklm");
}

static void test_needs(void **state)
{
	static const struct txn_sink target = {.needs = TXN_NEED_TARGET, .done = on_done};
	struct sinks s = {0};

	(void)state;
	assert_int_equal(sinks_add(&s, &recorder, NULL), 0);
	assert_int_equal(s.needs, 0);
	assert_int_equal(sinks_add(&s, &target, named('a')), 0);
	assert_int_equal(sinks_add(&s, &target, named('b')), 0);
	assert_int_equal(s.needs, TXN_NEED_TARGET);
	sinks_remove(&s, &target, named('a'));
	assert_int_equal(s.needs, TXN_NEED_TARGET);
	sinks_remove(&s, &target, named('b'));
	assert_int_equal(s.needs, 0);
}

/* --- what is kept for them ----------------------------------------------------------- */

struct viewer {
	struct engine *engine;
	struct text targets; /* "/a /b ": of each transaction; "-": not kept */
	bool leaves; /* with the next transaction */
};

static void view(void *ctx, const struct transaction *t);

static const struct txn_sink viewer_sink = {.needs = TXN_NEED_TARGET, .done = view};
/* Sees all of them, and needs nothing. */
static const struct txn_sink observer_sink = {.done = view};

static void view(void *ctx, const struct transaction *t)
{
	struct viewer *v = ctx;

	if (t->http.target.len)
		text_addf(&v->targets, "%.*s ", SPAN_ARG(t->http.target));
	else
		text_add(&v->targets, "- ");
	if (v->leaves)
		engine_remove_sink(v->engine, &viewer_sink, v);
}

static void expect(struct viewer *v, const char *want)
{
	assert_string_equal(v->targets.ptr, want);
	text_clear(&v->targets);
}

#define HTTP1_GET(name)	   "GET /" name " HTTP/1.1\r\nHost: h\r\nUser-Agent: long-enough\r\n\r\n"
#define HTTP1_OK	   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define HTTP2_GET(n, name) "c H" #n "e :method=GET :scheme=http :path=/" name "\n"
#define HTTP2_OK(n)	   "s H" #n "e :status=200\n"
#define HTTP2(n)	   HTTP2_GET(n, "b") HTTP2_OK(n)

static void ask(struct wire *w, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		wire_data(w, DIR_INGRESS, HTTP1_GET("a"));
		wire_data(w, DIR_EGRESS, HTTP1_OK);
	}
}

/* Heads repeat, so that parsers remember them, with and without a viewer. */
static void test_viewer(void **state)
{
	struct script s = {.has_flags = true};
	struct viewer all;
	struct viewer viewer;
	struct wire http1;

	(void)state;
	script_begin(&s, 1, false);
	all = viewer = (struct viewer){.engine = s.wire.engine};
	text_init(&all.targets);
	text_init(&viewer.targets);
	assert_int_equal(engine_add_sink(s.wire.engine, &observer_sink, &all), 0);
	http1 = wire_new(s.wire.engine, &s.now_ns, 2);
	wire_open(&http1, ROLE_SERVER);
	ask(&http1, 3);
	script_run(&s, "open server\nc P | S\ns S\n" HTTP2(1) HTTP2(3) HTTP2(5) HTTP2(7));
	expect(&all, "- - - - - - - ");

	/* Requests that are open now were started without it. */
	wire_data(&http1, DIR_INGRESS, HTTP1_GET("a"));
	script_run(&s, HTTP2_GET(9, "b"));
	assert_int_equal(engine_add_sink(s.wire.engine, &viewer_sink, &viewer), 0);
	wire_data(&http1, DIR_EGRESS, HTTP1_OK);
	script_run(&s, HTTP2_OK(9));
	expect(&viewer, "- - ");
	ask(&http1, 2);
	script_run(&s, HTTP2(11) HTTP2(13) HTTP2(15));
	expect(&viewer, "/a /a /b /b /b ");
	expect(&all, "- - /a /a /b /b /b ");

	/* It leaves with the first of two that were started for it. */
	wire_data(&http1, DIR_INGRESS, HTTP1_GET("a"));
	script_run(&s, HTTP2_GET(17, "b"));
	viewer.leaves = true;
	wire_data(&http1, DIR_EGRESS, HTTP1_OK);
	script_run(&s, HTTP2_OK(17));
	expect(&viewer, "/a ");
	expect(&all, "/a /b ");
	ask(&http1, 2);
	script_run(&s, HTTP2(19) HTTP2(21) HTTP2(23));
	expect(&viewer, "");
	expect(&all, "- - - - - ");

	/* And comes again. */
	viewer.leaves = false;
	assert_int_equal(engine_add_sink(s.wire.engine, &viewer_sink, &viewer), 0);
	ask(&http1, 1);
	script_run(&s, HTTP2(25) HTTP2(27));
	expect(&viewer, "/a /b /b ");
	wire_close(&http1, false);
	script_run(&s, "close");
	assert_int_equal(engine_stats(s.wire.engine)->memory_used, 0);
	text_release(&all.targets);
	text_release(&viewer.targets);
	script_finish(&s);
}

/* A request for a path of that many characters more than a slash. */
static void ask_for(struct wire *w, size_t len)
{
	struct text request;

	text_init(&request);
	text_add(&request, "GET /");
	for (size_t i = 0; i < len; i++)
		text_add_char(&request, (char)('a' + len % 26));
	text_add(&request, " HTTP/1.1\r\nHost: h\r\nUser-Agent: long-enough\r\n\r\n");
	wire_record(w, DIR_INGRESS, text_span(&request), 0, false, false);
	text_release(&request);
}

/* What ask_for() and the script of the same length must show. */
static void add_path(struct text *want, size_t len)
{
	text_add_char(want, '/');
	for (size_t i = 0; i < len; i++)
		text_add_char(want, (char)('a' + len % 26));
	text_add_char(want, ' ');
}

/*
 * The memory of one request is used again for the next, larger ones and smaller ones, and for one
 * of several that are open.
 */
static void test_targets_of_any_length(void **state)
{
	static const size_t lengths[] = {3, 3, 40, 5, 70, 69, 70, 1, 200, 199, 3, 400, 3};
	struct script s = {.has_flags = true};
	struct viewer v;
	struct wire http1;
	struct text want;

	(void)state;
	script_begin(&s, 1, false);
	v = (struct viewer){.engine = s.wire.engine};
	text_init(&v.targets);
	text_init(&want);
	assert_int_equal(engine_add_sink(s.wire.engine, &viewer_sink, &v), 0);
	http1 = wire_new(s.wire.engine, &s.now_ns, 2);
	wire_open(&http1, ROLE_SERVER);
	for (unsigned depth = 1; depth <= 4; depth++) {
		for (size_t i = 0; i + depth <= sizeof(lengths) / sizeof(lengths[0]); i++) {
			for (unsigned k = 0; k < depth; k++) {
				ask_for(&http1, lengths[i + k]);
				add_path(&want, lengths[i + k]);
			}
			for (unsigned k = 0; k < depth; k++)
				wire_data(&http1, DIR_EGRESS, HTTP1_OK);
		}
	}
	expect(&v, want.ptr);
	text_clear(&want);

	script_run(&s, "open server\nc P | S\ns S\n");
	for (unsigned i = 0; i < 60; i++) {
		size_t len = lengths[i / 2 % 13]; /* each twice: blocks are remembered */
		struct text script;

		text_init(&script);
		text_addf(&script, "c H%ue :method=GET :scheme=http :path=/", 2 * i + 1);
		for (size_t k = 0; k < len; k++)
			text_add_char(&script, (char)('a' + len % 26));
		text_addf(&script, "\ns H%ue :status=200\n", 2 * i + 1);
		script_run(&s, script.ptr);
		text_release(&script);
		add_path(&want, len);
	}
	expect(&v, want.ptr);
	wire_close(&http1, false);
	script_run(&s, "close");
	assert_int_equal(engine_stats(s.wire.engine)->memory_used, 0);
	text_release(&v.targets);
	text_release(&want);
	script_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_viewer),
		cmocka_unit_test(test_targets_of_any_length),
	};

	return cmocka_run_group_tests_name("sinks", tests, NULL, NULL);
}
