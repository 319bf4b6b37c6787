/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections: how connections begin and end, and eviction. Calls of the sink are
 * logged as text: "1 in:ab ", "1 lost:3 ", "1 end:closed ".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "flow/conn.h"

/* Recency is kept to a second. */
#define SECONDS 1000000000ull

struct fixture {
	struct conns *conns;
	struct text text;
	uint64_t now_ns;
};

static struct fixture *fixture_of(const struct conn *c)
{
	return c->owner;
}

static void log_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;

	(void)time_ns;
	c->user[0]++;
	text_addf(&fixture_of(c)->text, "%u %s:%.*s ", (unsigned)c->id,
		  dir == DIR_INGRESS ? "in" : "out", SPAN_ARG(view->data));
}

static void log_len(struct conn *c, const char *what, uint32_t len)
{
	text_addf(&fixture_of(c)->text, "%u %s:%u ", (unsigned)c->id, what, len);
}

static void log_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	log_len(ctx, "skip", len);
}

static void log_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	log_len(ctx, "lost", len);
}

static void log_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	(void)dir;
	(void)time_ns;
	(void)view;
	log_len(ctx, "fin", 0);
}

static void log_end(struct conn *c, enum conn_end how, uint64_t time_ns)
{
	static const char *const names[] = {[CONN_CLOSED] = "closed",
					    [CONN_RESET] = "reset",
					    [CONN_EVICTED] = "evicted",
					    [CONN_MUTED] = "muted",
					    [CONN_UNDECRYPTABLE] = "dark",
					    [CONN_CUT] = "cut",
					    [CONN_EVICTED_MEMORY] = "evicted for memory"};

	assert_int_equal(time_ns, fixture_of(c)->now_ns);
	text_addf(&fixture_of(c)->text, "%u end:%s ", (unsigned)c->id, names[how]);
}

static const struct conn_sink sink = {.bytes = {log_data, log_skip, log_lost, log_fin},
				      .end = log_end};

static void set_up(struct fixture *f, size_t cap)
{
	*f = (struct fixture){0};
	text_init(&f->text);
	f->conns = conns_new(cap, 64, NULL, &sink, f);
	assert_non_null(f->conns);
}

static void tear_down(struct fixture *f)
{
	conns_free(f->conns);
	text_release(&f->text);
}

static void send(struct fixture *f, struct event ev, uint64_t id)
{
	ev.id = id;
	ev.time_ns = f->now_ns += 2 * SECONDS;
	conns_event(f->conns, &ev);
}

static void open_as(struct fixture *f, uint64_t id, enum role role, bool is_early)
{
	send(f,
	     (struct event){.kind = EVENT_OPEN,
			    .open = {.role = role,
				     .is_early = is_early,
				     .local = {.family = 4, .port = 80},
				     .remote = {.family = 4, .port = (uint16_t)id}}},
	     id);
}

static void data_at(struct fixture *f, uint64_t id, uint32_t seq, const char *data, bool has_gap)
{
	struct event ev = {.kind = EVENT_DATA,
			   .data = {.dir = DIR_INGRESS,
				    .data = span_of(data),
				    .from_seq = seq,
				    .seq = seq,
				    .has_gap = has_gap}};

	ev.data.to_seq = seq + (uint32_t)ev.data.data.len;
	send(f, ev, id);
}

static void end_as(struct fixture *f, uint64_t id, enum event_kind kind, bool is_reset)
{
	struct event ev = {.kind = kind};

	if (kind == EVENT_CLOSE)
		ev.close.is_reset = is_reset;
	send(f, ev, id);
}

static void expect(struct fixture *f, const char *why, const char *want)
{
	if (strcmp(f->text.ptr, want) != 0)
		fail_msg("%s\ngot:  %s\nwant: %s", why, f->text.ptr, want);
	text_clear(&f->text);
}

static void test_ends(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, 10);
	for (uint64_t id = 1; id <= 4; id++) {
		open_as(&f, id, ROLE_SERVER, false);
		data_at(&f, id, 100, "a", false);
	}
	expect(&f, "data", "1 in:a 2 in:a 3 in:a 4 in:a ");
	assert_int_equal(conns_count(f.conns), 4);
	end_as(&f, 1, EVENT_CLOSE, false);
	end_as(&f, 2, EVENT_CLOSE, true);
	end_as(&f, 3, EVENT_MUTE, false);
	expect(&f, "each in its way", "1 end:closed 2 end:reset 3 end:muted ");
	end_as(&f, 1, EVENT_CLOSE, false);
	end_as(&f, 9, EVENT_MUTE, false);
	expect(&f, "what is not there has no end", "");
	assert_int_equal(conns_count(f.conns), 1);
	data_at(&f, 4, 105, "b", true);
	conns_flush(f.conns, f.now_ns);
	expect(&f, "open gaps are given up before the end", "4 lost:4 4 in:b 4 end:cut ");
	assert_int_equal(conns_count(f.conns), 0);
	assert_int_equal(conns_total(f.conns), 4);
	assert_int_equal(conns_evicted(f.conns), 0);
	assert_int_equal(conns_refused(f.conns), 0);
	open_as(&f, 5, ROLE_SERVER, false);
	tear_down(&f); /* no call for 5: the sink may not exist any more */
}

static void test_unknown(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, 10);
	data_at(&f, 1, 100, "a", false);
	open_as(&f, 1, ROLE_CLIENT, false);
	data_at(&f, 1, 101, "b", false);
	end_as(&f, 1, EVENT_CLOSE, false);
	expect(&f, "data makes one, OPEN does not make another", "1 in:a 1 in:b 1 end:closed ");
	assert_int_equal(conns_total(f.conns), 1);
	tear_down(&f);
}

static void test_close_gives_the_end(void **state)
{
	struct event ev = {.kind = EVENT_CLOSE, .close = {.to_seq = {120, 500}, .has_end = true}};
	struct fixture f;

	(void)state;
	set_up(&f, 10);
	open_as(&f, 1, ROLE_SERVER, false);
	data_at(&f, 1, 100, "a", false);
	send(&f, ev, 1);
	expect(&f, "bytes that no record reported", "1 in:a 1 skip:19 1 end:closed ");
	tear_down(&f);
}

static void test_eviction(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, 3);
	for (uint64_t id = 1; id <= 3; id++)
		open_as(&f, id, ROLE_SERVER, false);
	data_at(&f, 1, 100, "a", false);
	data_at(&f, 2, 100, "b", false);
	data_at(&f, 2, 105, "c", true);
	text_clear(&f.text);
	open_as(&f, 4, ROLE_SERVER, false);
	expect(&f, "the one that was silent for longest", "3 end:evicted ");
	data_at(&f, 5, 1, "x", false);
	expect(&f, "data makes room, too", "1 end:evicted 5 in:x ");
	open_as(&f, 6, ROLE_SERVER, false);
	expect(&f, "what waited behind a gap goes with it", "2 end:evicted ");
	end_as(&f, 4, EVENT_CLOSE, false);
	open_as(&f, 7, ROLE_SERVER, false);
	expect(&f, "a place that is free is taken", "4 end:closed ");
	assert_int_equal(conns_count(f.conns), 3);
	assert_int_equal(conns_total(f.conns), 7);
	assert_int_equal(conns_evicted(f.conns), 3);
	tear_down(&f);
}

static enum role seen_role;
static bool seen_early;
static char seen_user;

static void look(struct conn *c, enum conn_end how, uint64_t time_ns)
{
	(void)how;
	(void)time_ns;
	seen_role = c->role;
	seen_early = c->is_early;
	seen_user = c->user[0];
}

/* OPEN comes twice if data came before the socket; otherwise the first one is right. */
static void test_open_twice(void **state)
{
	static const struct {
		const char *why;
		enum role role[2];
		bool is_early[2];
		enum role want;
		bool want_early;
	} cases[] = {
		{"early, then the socket",
		 {ROLE_SERVER, ROLE_SERVER},
		 {true, false},
		 ROLE_SERVER,
		 false},
		{"early, and never a socket",
		 {ROLE_SERVER, ROLE_SERVER},
		 {true, true},
		 ROLE_SERVER,
		 true},
		{"a second OPEN of a request socket",
		 {ROLE_SERVER, ROLE_CLIENT},
		 {true, false},
		 ROLE_CLIENT,
		 false},
		{"a second OPEN of a full socket is ignored",
		 {ROLE_SERVER, ROLE_CLIENT},
		 {false, false},
		 ROLE_SERVER,
		 false},
		{"a full socket does not become early",
		 {ROLE_CLIENT, ROLE_SERVER},
		 {false, true},
		 ROLE_CLIENT,
		 false},
	};
	static const struct conn_sink looks = {.bytes = {log_data, log_skip, log_lost, log_fin},
					       .end = look};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f = {0};

		text_init(&f.text);
		f.conns = conns_new(0, 64, NULL, &looks, &f); /* room for one, at least */
		assert_non_null(f.conns);
		for (int j = 0; j < 2; j++)
			open_as(&f, 1, cases[i].role[j], cases[i].is_early[j]);
		end_as(&f, 1, EVENT_CLOSE, false);
		if (seen_role != cases[i].want || seen_early != cases[i].want_early)
			fail_msg("%s: %d %d", cases[i].why, seen_role, seen_early);
		assert_int_equal(seen_user, 0);
		assert_int_equal(conns_total(f.conns), 1);
		tear_down(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),	   cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_eviction),   cmocka_unit_test(test_close_gives_the_end),
		cmocka_unit_test(test_open_twice),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
