/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/control_client.h"
#include "cmd/own_capture.h"
#include "cmd/signal_fd.h"
#include "cmd/top_model.h"
#include "cmd/top_screen.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* Nothing has to happen so often; it bounds what an event that was missed would cost. */
#define WAIT_MS 1000

struct live_top {
	const struct options *o;
	struct own_capture own;
	struct top_model model;
	CURLM *multi;
	struct control_call *windows;
	struct control_call *requests; /* NULL: nobody looks at them */
	int signals; /* descriptor */
	uint64_t end_ms; /* of the monotonic clock; 0: no end */
	bool is_changed; /* what is shown */
	bool is_over;
	int status;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The screen is as it was when this logs. */
static void end_with(struct live_top *t, int status)
{
	top_screen_close();
	t->is_over = true;
	t->status = status;
}

/* --- answers ------------------------------------------------------------------------- */

static bool on_window(void *ctx, struct span line)
{
	struct live_top *t = ctx;

	t->is_changed = true;
	if (top_model_window(&t->model, line))
		return true;
	end_with(t, EXIT_INCOMPLETE);
	log_error("top: the answer of the sidecar cannot be read");
	return false;
}

static bool on_request(void *ctx, struct span line)
{
	struct live_top *t = ctx;

	(void)top_model_request(&t->model, line); /* there are others */
	return true;
}

static bool on_window_pause(void *ctx)
{
	(void)ctx;
	return true;
}

static bool on_request_pause(void *ctx)
{
	struct live_top *t = ctx;

	grid_arrange(&t->model.requests);
	t->is_changed = true;
	return true;
}

static void end_call(struct live_top *t, struct control_call **call)
{
	if (!*call)
		return;
	(void)curl_multi_remove_handle(t->multi, control_call_handle(*call)); /* it is in there */
	control_call_free(*call);
	*call = NULL;
}

static void begin_call(struct live_top *t, struct control_call **call,
		       void (*path)(const struct top_model *m, struct text *path),
		       bool (*line)(void *ctx, struct span line), bool (*pause)(void *ctx))
{
	struct control_question q = {.command = "top",
				     .socket = t->own.pid ? t->own.socket : t->o->control,
				     .is_own = t->own.pid,
				     .line = line,
				     .pause = pause,
				     .ctx = t};
	struct text text;

	end_call(t, call);
	text_init(&text);
	path(&t->model, &text);
	q.path = text.ptr;
	*call = control_call_new(&q);
	text_release(&text);
	if (*call && curl_multi_add_handle(t->multi, control_call_handle(*call)) == CURLM_OK)
		return;
	end_with(t, EXIT_USE);
	log_error("top: out of memory");
}

static void ask_windows(struct live_top *t)
{
	begin_call(t, &t->windows, top_model_windows_path, on_window, on_window_pause);
}

static void ask_requests(struct live_top *t)
{
	begin_call(t, &t->requests, top_model_requests_path, on_request, on_request_pause);
}

/* The answer does not end by itself. */
static void on_windows_ended(struct live_top *t, CURLcode code)
{
	if (t->is_over)
		return;
	end_with(t, EXIT_INCOMPLETE);
	if (control_call_is_answered(t->windows))
		log_error("top: the sidecar has ended");
	else
		t->status = control_call_result(t->windows, code);
}

/* If the sidecar has ended, the windows say so. */
static void on_requests_ended(struct live_top *t)
{
	if (!control_call_is_answered(t->requests))
		top_model_refuse(&t->model, control_call_refusal(t->requests));
	t->is_changed = true;
	end_call(t, &t->requests);
}

static void transfer(struct live_top *t)
{
	const CURLMsg *message;
	int count;

	(void)curl_multi_perform(t->multi, &count); /* what fails ends, with a message */
	while (!t->is_over && (message = curl_multi_info_read(t->multi, &count))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		if (t->windows && message->easy_handle == control_call_handle(t->windows))
			on_windows_ended(t, message->data.result);
		else if (t->requests && message->easy_handle == control_call_handle(t->requests))
			on_requests_ended(t);
	}
}

/* --- keys and signals ---------------------------------------------------------------- */

static void do_wishes(struct live_top *t, unsigned wishes)
{
	if (wishes & TOP_QUIT)
		end_with(t, 0);
	if (wishes & TOP_END_REQUESTS)
		end_call(t, &t->requests);
	if (wishes & TOP_ASK_WINDOWS)
		ask_windows(t);
	if (wishes & TOP_ASK_REQUESTS)
		ask_requests(t);
}

static void read_keys(struct live_top *t)
{
	int key;

	while (!t->is_over && (key = top_screen_key()) >= 0) {
		do_wishes(t, top_model_key(&t->model, key, top_screen_rows()));
		t->is_changed = true;
	}
}

static void on_signal(struct live_top *t, unsigned number)
{
	switch (number) {
	case SIGWINCH:
		top_screen_resize();
		break;
	case SIGTSTP:
		top_screen_suspend();
		break;
	case SIGCONT:
		top_screen_refresh();
		break;
	default:
		end_with(t, 0);
	}
	t->is_changed = true;
}

static void read_signals(struct live_top *t)
{
	struct signalfd_siginfo info;

	while (!t->is_over && read(t->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(t, info.ssi_signo);
}

/* Returns 0, or negative errno. */
static int block_signals(struct live_top *t)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT};

	t->signals = signal_fd_open(numbers, sizeof(numbers) / sizeof(numbers[0]));
	return t->signals < 0 ? t->signals : 0;
}

/* --- the loop ------------------------------------------------------------------------ */

static void wait_for_anything(struct live_top *t)
{
	struct curl_waitfd fds[] = {{.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN},
				    {.fd = t->signals, .events = CURL_WAIT_POLLIN}};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now = now_ms();
	int ms = WAIT_MS;

	if (t->end_ms)
		ms = now >= t->end_ms		 ? 0
		     : t->end_ms - now < WAIT_MS ? (int)(t->end_ms - now)
						 : WAIT_MS;
	(void)curl_multi_poll(t->multi, fds, 2, ms, NULL); /* what fails is tried again */
	/* The terminal is gone. */
	if (poll(&input, 1, 0) > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL))
		end_with(t, 0);
	if (t->end_ms && now_ms() >= t->end_ms)
		end_with(t, 0);
}

/* Before the screen changes: there may be no sidecar. */
static void await_answer(struct live_top *t)
{
	while (!t->is_over && !control_call_is_answered(t->windows)) {
		transfer(t);
		if (!t->is_over && !control_call_is_answered(t->windows))
			(void)curl_multi_poll(t->multi, NULL, 0, WAIT_MS, NULL); /* again */
	}
}

static void open_screen(struct live_top *t)
{
	const char *term = getenv("TERM");
	int err;

	if (t->is_over)
		return;
	err = block_signals(t);
	if (!err)
		err = top_screen_open();
	if (!err)
		return;
	end_with(t, EXIT_USE);
	log_error("top: the terminal (TERM=%s) has no full screen; print one table with: "
		  "sidelight top --once [--for 5s]",
		  term ? term : "");
}

int top_live(const struct options *o)
{
	struct live_top t = {.o = o,
			     .signals = -1,
			     .is_changed = true,
			     .end_ms = o->for_ms ? now_ms() + o->for_ms : 0};

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_error("top: standard input and output are no terminal; print one table with: "
			  "sidelight top --once [--for 5s]");
		return EXIT_USE;
	}
	t.status = own_capture_start(&t.own, o, "top");
	if (t.status)
		return t.status;
	t.multi = curl_multi_init();
	if (!t.multi) {
		log_error("top: out of memory");
		return own_capture_end(&t.own, EXIT_USE);
	}
	top_model_init(&t.model, (enum top_view)o->by, (enum top_sort)o->sort);
	ask_windows(&t);
	await_answer(&t);
	open_screen(&t);
	while (!t.is_over) {
		transfer(&t);
		read_signals(&t);
		read_keys(&t);
		if (t.is_changed && !t.is_over)
			top_screen_draw(&t.model);
		t.is_changed = false;
		if (!t.is_over)
			wait_for_anything(&t);
	}
	end_call(&t, &t.requests);
	end_call(&t, &t.windows);
	(void)curl_multi_cleanup(t.multi); /* it is empty */
	top_model_release(&t.model);
	if (t.signals >= 0)
		(void)close(t.signals); /* nothing was written */
	return own_capture_end(&t.own, t.status);
}
