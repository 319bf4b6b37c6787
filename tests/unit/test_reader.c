/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/reader, and what a source can and cannot do: one that wakes its reader through an eventfd,
 * and one that has a function to drain it and nothing else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/reader.h"

struct fake {
	struct source source;
	int fd;
	int ready; /* events that are there */
	unsigned drains;
	unsigned sleeps;
	int late; /* events that come while it falls asleep, once */
};

static int fake_drain(struct source *s, event_fn fn, void *ctx)
{
	struct fake *f = (struct fake *)s;
	const struct event ev = {.kind = EVENT_CLOSE};
	int n = f->ready;

	f->drains++;
	f->ready = 0;
	for (int i = 0; i < n; i++)
		fn(ctx, &ev);
	return n;
}

static void fake_free(struct source *s)
{
	assert_int_equal(close(((struct fake *)s)->fd), 0);
}

static int fake_fd(const struct source *s)
{
	return ((const struct fake *)s)->fd;
}

static bool fake_sleep(struct source *s)
{
	struct fake *f = (struct fake *)s;

	f->sleeps++;
	f->ready += f->late;
	f->late = 0;
	return f->ready == 0;
}

static void fake_woken(struct source *s)
{
	uint64_t count;

	assert_int_equal(read(((struct fake *)s)->fd, &count, sizeof(count)), sizeof(count));
}

static int fake_answer(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	(void)s;
	assert_int_equal(conn_id, 7);
	assert_int_equal(dir, DIR_EGRESS);
	return seq ? 0 : -EAGAIN;
}

static void fake_counters(const struct source *s, struct source_counters *ret_counters)
{
	(void)s;
	*ret_counters = (struct source_counters){.malformed = 3, .answers = 4};
}

static const struct source_ops waking = {
	.drain = fake_drain,
	.free = fake_free,
	.fd = fake_fd,
	.sleep = fake_sleep,
	.woken = fake_woken,
	.answer = fake_answer,
	.counters = fake_counters,
};

static const struct source_ops silent = {.drain = fake_drain, .free = fake_free};

static void count(void *ctx, const struct event *ev)
{
	(void)ev;
	++*(int *)ctx;
}

static void wake(struct fake *f, int events)
{
	const uint64_t one = 1;

	f->ready += events;
	assert_int_equal(write(f->fd, &one, sizeof(one)), sizeof(one));
}

struct world {
	uv_loop_t loop;
	struct fake fake;
	struct reader reader;
	uv_timer_t deadline;
	int events;
};

static void on_deadline(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("nothing has happened for ten seconds");
}

static void run_once(struct world *w)
{
	(void)uv_timer_start(&w->deadline, on_deadline, 10000, 0);
	(void)uv_run(&w->loop, UV_RUN_ONCE);
}

static void set_up(struct world *w, const struct source_ops *ops)
{
	*w = (struct world){.fake = {.source.ops = ops, .fd = eventfd(0, EFD_CLOEXEC)}};
	assert_true(w->fake.fd >= 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	(void)uv_timer_init(&w->loop, &w->deadline);
	assert_int_equal(reader_start(&w->reader, &w->loop, &w->fake.source, count, &w->events), 0);
}

static void tear_down(struct world *w)
{
	reader_stop(&w->reader);
	uv_close((uv_handle_t *)&w->deadline, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	source_free(&w->fake.source);
}

static void run_until_state(struct world *w, enum reader_state state)
{
	while (w->reader.state != state)
		run_once(w);
}

static void test_wakeups(void **state)
{
	struct world w;
	unsigned drains;

	(void)state;
	set_up(&w, &waking);
	assert_int_equal(w.reader.state, READER_ASLEEP);
	wake(&w.fake, 5);
	run_until_state(&w, READER_AWAKE);
	assert_int_equal(w.events, 5);
	/* What comes now is found without a wake-up. */
	w.fake.ready = 2;
	while (w.events < 7)
		run_once(&w);
	/* It falls asleep in two periods without events, and looks for them in each. */
	drains = w.fake.drains;
	run_until_state(&w, READER_ASLEEP);
	assert_true(w.fake.drains >= drains + 2);
	assert_int_equal(w.fake.sleeps, 2);
	assert_false(uv_is_active((uv_handle_t *)&w.reader.timer));
	wake(&w.fake, 1);
	run_until_state(&w, READER_AWAKE);
	assert_int_equal(w.events, 8);
	tear_down(&w);
}

/* An event that comes while wake-ups are turned on again is not left lying. */
static void test_late_event(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, &waking);
	w.fake.late = 3;
	wake(&w.fake, 1);
	run_until_state(&w, READER_AWAKE);
	while (w.fake.sleeps == 0)
		run_once(&w);
	assert_int_equal(w.events, 4);
	tear_down(&w);
}

static void test_without_wakeups(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, &silent);
	assert_false(source_has_wakeups(&w.fake.source));
	for (int i = 1; i <= 3; i++) {
		unsigned drains = w.fake.drains;

		/* It is looked for events again and again, whether there are any or not. */
		while (w.fake.drains < drains + 3)
			run_once(&w);
		assert_int_equal(w.reader.state, READER_AWAKE);
		w.fake.ready = 1;
		while (w.events < i)
			run_once(&w);
	}
	assert_int_equal(w.fake.sleeps, 0);
	tear_down(&w);
}

static void test_what_it_can_do(void **state)
{
	struct fake can = {.source.ops = &waking};
	struct fake cannot = {.source.ops = &silent};

	(void)state;
	assert_true(source_has_wakeups(&can.source));
	assert_int_equal(source_answer(&can.source, 7, DIR_EGRESS, 1), 0);
	assert_int_equal(source_answer(&can.source, 7, DIR_EGRESS, 0), -EAGAIN);
	assert_int_equal(source_counters(&can.source).malformed, 3);
	assert_int_equal(source_counters(&can.source).answers, 4);
	assert_int_equal(source_answer(&cannot.source, 7, DIR_EGRESS, 1), -ENOTSUP);
	assert_int_equal(source_counters(&cannot.source).malformed, 0);
	assert_int_equal(source_counters(&cannot.source).answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakeups),
		cmocka_unit_test(test_late_event),
		cmocka_unit_test(test_without_wakeups),
		cmocka_unit_test(test_what_it_can_do),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
