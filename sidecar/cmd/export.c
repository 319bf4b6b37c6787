/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/export.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/output_file.h"
#include "cmd/request_client.h"
#include "cmd/stop.h"

/* Between two states of the progress line. */
#define PROGRESS_MS 200

struct progress {
	bool is_shown; /* on a terminal */
	uint64_t shown_ms;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_progress(void *ctx, uint64_t requests)
{
	struct progress *p = ctx;
	uint64_t now = now_ms();

	if (p->is_shown && now - p->shown_ms >= PROGRESS_MS) {
		(void)fprintf(stderr, "\r%llu requests", (unsigned long long)requests);
		p->shown_ms = now;
	}
}

static bool is_over(void *ctx)
{
	(void)ctx;
	return stop_is_wanted();
}

static int run(const struct options *o, struct output_file *file, struct request_writer *writer)
{
	/* Not among lines that go to the same terminal. */
	struct progress progress = {.is_shown =
					    isatty(STDERR_FILENO) && !isatty(fileno(file->file))};
	struct request_client c = {.command = "export",
				   .options = o,
				   .writer = writer,
				   .progress = on_progress,
				   .is_over = is_over,
				   .ctx = &progress};
	uint64_t requests;
	int error;
	int status;

	status = request_client_run(&c, &requests);
	if (progress.shown_ms)
		(void)fprintf(stderr, "\r%30s\r", "");
	error = request_writer_error(writer);
	if (status == REQUEST_CLIENT_USE || (error && error != -EFBIG))
		return status;
	if (output_file_commit(file))
		return REQUEST_CLIENT_INCOMPLETE;
	log_info("export: %llu requests in %s", (unsigned long long)requests, file->name);
	return status;
}

int command_export(const struct options *o)
{
	struct output_file file;
	struct request_writer *writer;
	int status = REQUEST_CLIENT_INCOMPLETE;

	stop_watch();
	if (output_file_open(&file, "export", o->output) == 0) {
		writer = request_writer_new(file.file, (enum request_format)o->format, false);
		if (writer && o->fields)
			request_writer_pick(writer, &o->picks);
		else if (writer && options_want_headers(o))
			request_writer_show_headers(writer);
		if (writer)
			status = run(o, &file, writer);
		else
			log_error("export: out of memory");
		request_writer_free(writer);
	}
	output_file_close(&file);
	return status;
}
