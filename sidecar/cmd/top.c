/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"
#include "cmd/control_client.h"
#include "cmd/own_capture.h"
#include "cmd/top_connections.h"
#include "cmd/top_live.h"
#include "cmd/top_rows.h"
#include "cmd/top_table.h"

#define EXIT_INCOMPLETE 1

struct top {
	const struct options *o;
	bool has_answer;
	int error; /* errno of standard output */
};

static void write_out(struct top *t, struct span s)
{
	if (fwrite(s.ptr, 1, s.len, stdout) != s.len)
		t->error = errno;
}

static bool on_line(void *ctx, struct span line)
{
	struct top *t = ctx;
	struct text out;
	cJSON *window;

	if (t->o->format == FORMAT_JSON) {
		write_out(t, line);
		write_out(t, span_of("\n"));
		t->has_answer = true;
		return !t->error;
	}
	window = cJSON_ParseWithLength(line.ptr, line.len);
	text_init(&out);
	t->has_answer = (t->o->by == TOP_CONNECTIONS ? top_connections_add : top_table_add)(
				&out, window, (enum top_sort)t->o->sort,
				terminal_columns(STDOUT_FILENO)) == 0;
	write_out(t, text_span(&out));
	text_release(&out);
	cJSON_Delete(window);
	return t->has_answer && !t->error;
}

static bool on_pause(void *ctx)
{
	struct top *t = ctx;

	if (fflush(stdout))
		t->error = errno;
	return !t->error;
}

static int print_once(const struct options *o)
{
	struct top t = {.o = o};
	struct control_question q = {.command = "top",
				     .socket = o->control,
				     .line = on_line,
				     .pause = on_pause,
				     .ctx = &t};
	char window[24];
	struct own_capture own;
	struct text path;
	int status = own_capture_start(&own, o, "top");

	if (status)
		return status;
	if (own.pid) {
		q.socket = own.socket;
		q.is_own = true;
	}
	text_init(&path);
	(void)snprintf(window, sizeof(window), "%llums", (unsigned long long)o->for_ms);
	if (o->by == TOP_CONNECTIONS) {
		text_add(&path, "/connections");
	} else {
		text_add(&path, "/routes");
		control_parameter(&path, "for", o->for_ms ? window : NULL);
		control_parameter(&path, "by", top_rows_by((enum top_view)o->by));
	}
	q.path = path.ptr;
	status = own_capture_end(&own, control_ask(&q));
	text_release(&path);
	if (t.error && t.error != EPIPE) {
		log_error("top: cannot write (%s)", strerror(t.error));
		return EXIT_INCOMPLETE;
	}
	if (!status && !t.has_answer && !t.error) {
		log_error("top: the answer of the sidecar cannot be read");
		return EXIT_INCOMPLETE;
	}
	return status;
}

int command_top(const struct options *o)
{
	return o->is_once ? print_once(o) : top_live(o);
}
