/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"
#include "cmd/request_client.h"
#include "cmd/stop.h"

static bool is_over(void *ctx)
{
	(void)ctx;
	return stop_is_wanted();
}

int command_trace(const struct options *o)
{
	enum request_format format = (enum request_format)o->format;
	struct request_client c = {
		.command = "trace",
		.options = o,
		.writer = request_writer_new(stdout, format, false),
	};
	uint64_t requests;
	int status;

	if (!c.writer) {
		log_error("trace: out of memory");
		return REQUEST_CLIENT_USE;
	}
	request_writer_show(c.writer, o->wants_stages, o->wants_threads);
	if (o->fields)
		request_writer_pick(c.writer, &o->picks);
	else if (options_want_headers(o))
		request_writer_show_headers(c.writer);
	request_writer_fit(c.writer, terminal_columns(STDOUT_FILENO),
			   terminal_has_colors(STDOUT_FILENO));
	if (request_format_has_end(format)) {
		stop_watch();
		c.is_over = is_over;
	}
	status = request_client_run(&c, &requests);
	request_writer_free(c.writer);
	return status;
}
