/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/control_client.h"
#include "cmd/trace_table.h"

#define EXIT_INCOMPLETE 1

struct trace {
	bool is_table;
	struct trace_table table;
	uint64_t lost;
	uint64_t misread; /* lines that are not what a sidecar writes */
	int error; /* errno of standard output */
};

static bool write_out(struct trace *t, struct span s)
{
	if (fwrite(s.ptr, 1, s.len, stdout) != s.len)
		t->error = errno;
	return !t->error;
}

static bool on_line(void *ctx, struct span line)
{
	struct trace *t = ctx;
	cJSON *o;
	const cJSON *lost;
	bool is_good = true;

	/* All other lines are longer. */
	if (!t->is_table && !span_starts(line, "{\"lost\":"))
		return write_out(t, line) && write_out(t, span_of("\n"));
	o = cJSON_ParseWithLength(line.ptr, line.len);
	lost = cJSON_GetObjectItemCaseSensitive(o, "lost");
	if (cJSON_IsNumber(lost)) {
		t->lost += (uint64_t)lost->valuedouble;
		if (!t->is_table)
			is_good = write_out(t, line) && write_out(t, span_of("\n"));
	} else if (!cJSON_IsObject(o)) {
		t->misread++;
	} else {
		is_good = write_out(t, trace_table_row(&t->table, o));
	}
	cJSON_Delete(o);
	return is_good;
}

static bool on_pause(void *ctx)
{
	struct trace *t = ctx;

	if (fflush(stdout))
		t->error = errno;
	return !t->error;
}

static void make_path(struct text *path, const struct options *o)
{
	text_init(path);
	text_add(path, "/requests");
	control_parameter(path, "past", o->last ? "1" : "0");
	control_parameter(path, "follow", o->wants_follow ? "1" : "0");
	control_parameter(path, "query", o->wants_query ? "1" : "0");
	control_parameter(path, "last", o->last);
	control_parameter(path, "status", o->status);
	control_parameter(path, "min-duration", o->min_duration);
	control_parameter(path, "route", o->route);
	control_parameter(path, "method", o->method);
	control_parameter(path, "peer", o->peer);
	control_parameter(path, "container", o->containers);
	control_parameter(path, "count", o->count);
}

/* What is missing is said, and in the status. A reader that has had enough misses nothing. */
static int finish(struct trace *t, int status)
{
	if (t->error && t->error != EPIPE)
		log_error("trace: cannot write (%s)", strerror(t->error));
	if (t->lost)
		log_warn("trace: %llu requests are missing: they came faster than they could be "
			 "printed",
			 (unsigned long long)t->lost);
	if (t->misread)
		log_warn("trace: %llu lines could not be read", (unsigned long long)t->misread);
	if (!status && (t->lost || t->misread || (t->error && t->error != EPIPE)))
		status = EXIT_INCOMPLETE;
	return status;
}

int command_trace(const struct options *o)
{
	struct trace t = {.is_table = o->format == FORMAT_TABLE};
	struct control_question q = {.command = "trace",
				     .socket = o->control,
				     .for_ms = o->for_ms,
				     .line = on_line,
				     .pause = on_pause,
				     .ctx = &t};
	struct text path;
	int status;

	make_path(&path, o);
	q.path = path.ptr;
	trace_table_init(&t.table, STDOUT_FILENO);
	status = control_ask(&q);
	trace_table_release(&t.table);
	text_release(&path);
	return finish(&t, status);
}
