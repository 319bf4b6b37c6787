/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "cmd/control_client.h"
#include "cmd/own_capture.h"
#include "cmd/signal_fd.h"
#include "cmd/ui_lines.h"
#include "cmd/ui_server.h"
#include "pod/privilege.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* 15 minutes of windows, each of five seconds, and the one that ends now. */
#define WINDOW	      "5s"
#define WINDOWS	      181
#define WINDOWS_BYTES (8u << 20)
/* The recorder's, unless it is larger than usual. */
#define PAST	   10000
#define PAST_BYTES (8u << 20)

/* Nothing has to happen so often; it bounds what an event that was missed would cost. */
#define WAIT_MS 1000

struct ui {
	const struct options *o;
	struct own_capture own;
	uv_loop_t loop;
	CURLM *multi;
	struct ui_server *server;
	struct ui_lines windows_kept;
	struct ui_lines past_kept;
	struct control_call *windows;
	struct control_call *past; /* NULL: it has ended */
	struct control_call *headers; /* a reader for whom they are captured; NULL: none */
	bool has_no_headers; /* the sidecar refuses */
	int signals; /* descriptor */
	uint64_t began_ms;
	bool has_past; /* past has ended, or is not to be had */
	bool is_over;
	int status;
};

static void end_with(struct ui *u, int status)
{
	u->is_over = true;
	u->status = status;
}

/* --- answers of the sidecar ---------------------------------------------------------- */

static bool on_window(void *ctx, struct span line)
{
	struct ui *u = ctx;

	ui_lines_add(&u->windows_kept, line);
	return true;
}

static bool on_past(void *ctx, struct span line)
{
	struct ui *u = ctx;

	ui_lines_add(&u->past_kept, line);
	return true;
}

static bool on_pause(void *ctx)
{
	(void)ctx;
	return true;
}

static const char *socket_of(const struct ui *u)
{
	return u->own.pid ? u->own.socket : u->o->control;
}

/* NULL after one log line. */
static struct control_call *ask(struct ui *u, const char *path,
				bool (*line)(void *ctx, struct span line))
{
	struct control_call *call =
		control_call_new(&(struct control_question){.command = "ui",
							    .socket = socket_of(u),
							    .is_own = u->own.pid,
							    .path = path,
							    .line = line,
							    .pause = on_pause,
							    .ctx = u});

	if (call && curl_multi_add_handle(u->multi, control_call_handle(call)) == CURLM_OK)
		return call;
	control_call_free(call);
	log_error("ui: out of memory");
	end_with(u, EXIT_USE);
	return NULL;
}

static void end_call(struct ui *u, struct control_call **call)
{
	if (!*call)
		return;
	(void)curl_multi_remove_handle(u->multi, control_call_handle(*call)); /* it is in there */
	control_call_free(*call);
	*call = NULL;
}

/* The answer does not end by itself. */
static void on_windows_ended(struct ui *u, CURLcode code)
{
	if (control_call_is_answered(u->windows)) {
		log_error("ui: the sidecar has ended");
		end_with(u, EXIT_INCOMPLETE);
	} else {
		end_with(u, control_call_result(u->windows, code));
	}
}

/* Without a recorder the page has no requests, and says why. */
static void on_past_ended(struct ui *u)
{
	end_call(u, &u->past);
	u->has_past = true;
	ui_server_show_link(u->server);
	log_info("ui: each link opens the page in one browser, then another one follows; Ctrl-C "
		 "ends it");
}

/* The page says why: it asks the same. */
static void on_headers_ended(struct ui *u)
{
	end_call(u, &u->headers);
	u->has_no_headers = true;
}

static bool on_no_line(void *ctx, struct span line)
{
	(void)ctx;
	(void)line; /* the page asks for requests by itself */
	return true;
}

/* Fields are captured as long as this reader is connected. It wants no lines. */
static void follow_headers(struct ui *u)
{
	bool is_wanted = ui_server_wants_headers(u->server) && !u->has_no_headers;

	if (!is_wanted)
		end_call(u, &u->headers);
	else if (!u->headers)
		u->headers = ask(u, "/requests?past=0&follow=1&headers=all&min-duration=1000h",
				 on_no_line);
}

static void transfer(struct ui *u)
{
	const CURLMsg *message;
	int count;

	(void)curl_multi_perform(u->multi, &count); /* what fails ends, with a message */
	while (!u->is_over && (message = curl_multi_info_read(u->multi, &count))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		if (u->windows && message->easy_handle == control_call_handle(u->windows))
			on_windows_ended(u, message->data.result);
		else if (u->past && message->easy_handle == control_call_handle(u->past))
			on_past_ended(u);
		else if (u->headers && message->easy_handle == control_call_handle(u->headers))
			on_headers_ended(u);
		else
			ui_server_ended(u->server, message->easy_handle, message->data.result);
	}
	/* What was recorded before the first window began: that one counts already. */
	if (!u->is_over && !u->past && !u->has_past && control_call_is_answered(u->windows))
		u->past = ask(u, "/requests?past=1&count=10000", on_past);
}

/* --- the loop ------------------------------------------------------------------------ */

/* The next links are for other browsers: those that have the page do without. */
static void on_link(void *ctx, const char *url)
{
	struct ui *u = ctx;

	if (printf("%s\n", url) >= 0 && fflush(stdout) == 0)
		return;
	if (u->is_over || u->windows_kept.next)
		return;
	log_error("ui: cannot write (%s)", strerror(errno));
	end_with(u, EXIT_USE);
}

/* Returns 0, or negative errno. */
static int block_signals(struct ui *u)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

	u->signals = signal_fd_open(numbers, sizeof(numbers) / sizeof(numbers[0]));
	return u->signals < 0 ? u->signals : 0;
}

static void read_signals(struct ui *u)
{
	struct signalfd_siginfo info;

	if (read(u->signals, &info, sizeof(info)) == sizeof(info))
		end_with(u, 0);
}

/* Milliseconds until one of the two ends comes; 0: it has come. */
static uint64_t time_left(const struct ui *u)
{
	uint64_t now = uv_now(&u->loop);
	uint64_t end = u->o->for_ms ? u->began_ms + u->o->for_ms : UINT64_MAX;
	uint64_t idle = u->o->idle_ms ? ui_server_asked_ms(u->server) + u->o->idle_ms : UINT64_MAX;

	if (idle < end)
		end = idle;
	return end > now ? end - now : 0;
}

/* Sockets are watched once the loop has run: it runs before the wait. */
static void wait_for_anything(struct ui *u)
{
	struct curl_waitfd fds[] = {{.fd = uv_backend_fd(&u->loop), .events = CURL_WAIT_POLLIN},
				    {.fd = u->signals, .events = CURL_WAIT_POLLIN}};
	uint64_t left;
	int ms;

	(void)uv_run(&u->loop, UV_RUN_NOWAIT); /* whether handles are left */
	left = time_left(u);
	if (left == 0) {
		end_with(u, 0);
		return;
	}
	ms = uv_backend_timeout(&u->loop);
	if (ms < 0 || ms > WAIT_MS)
		ms = WAIT_MS;
	if (left < (uint64_t)ms)
		ms = (int)left;
	(void)curl_multi_poll(u->multi, fds, 2, ms, NULL); /* what fails is tried again */
}

static int prepare(struct ui *u)
{
	const char *error = "out of memory";
	int err = block_signals(u);

	if (!err)
		err = ui_lines_init(&u->windows_kept, WINDOWS, WINDOWS_BYTES);
	if (!err)
		err = ui_lines_init(&u->past_kept, PAST, PAST_BYTES);
	u->multi = err ? NULL : curl_multi_init();
	if (err || !u->multi) {
		log_error("ui: %s", err ? strerror(-err) : error);
		return EXIT_USE;
	}
	u->server = ui_server_new(&u->loop,
				  &(struct ui_server_options){.port = (uint16_t)u->o->port,
							      .socket = socket_of(u),
							      .multi = u->multi,
							      .windows = &u->windows_kept,
							      .past = &u->past_kept,
							      .link = on_link,
							      .ctx = u},
				  &error);
	if (!u->server) {
		log_error("ui: cannot listen at 127.0.0.1:%u (%s)", (unsigned)u->o->port, error);
		return EXIT_USE;
	}
	/* From here on it reads what strangers send. */
	if (privilege_give_up(false))
		log_debug("ui: keeps its capabilities");
	return 0;
}

static void release(struct ui *u)
{
	ui_server_close(u->server);
	end_call(u, &u->headers);
	end_call(u, &u->past);
	end_call(u, &u->windows);
	if (u->multi)
		(void)curl_multi_cleanup(u->multi); /* it is empty */
	(void)uv_run(&u->loop, UV_RUN_DEFAULT); /* lets closed handles go */
	(void)uv_loop_close(&u->loop);
	ui_lines_release(&u->windows_kept);
	ui_lines_release(&u->past_kept);
	if (u->signals >= 0)
		(void)close(u->signals); /* nothing was written */
}

int command_ui(const struct options *o)
{
	struct ui u = {.o = o, .signals = -1};

	u.status = own_capture_start(&u.own, o, "ui");
	if (u.status)
		return u.status;
	if (uv_loop_init(&u.loop)) {
		log_error("ui: cannot make an event loop (too few descriptors?)");
		return own_capture_end(&u.own, EXIT_USE);
	}
	u.began_ms = uv_now(&u.loop);
	u.status = prepare(&u);
	u.is_over = u.status != 0;
	if (!u.is_over)
		u.windows = ask(&u, "/routes?for=" WINDOW "&follow=1&durations=1", on_window);
	while (!u.is_over) {
		transfer(&u);
		if (!u.is_over)
			follow_headers(&u);
		ui_server_flush(u.server);
		read_signals(&u);
		if (!u.is_over)
			wait_for_anything(&u);
	}
	release(&u);
	return own_capture_end(&u.own, u.status);
}
