/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/request_client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cmd/control_client.h"
#include "cmd/own_capture.h"
#include "cmd/process_names.h"
#include "export/json.h"
#include "export/request_fields.h"

/* What a reader gets in place of requests that were overwritten before it took them. */
#define LOST "{\"lost\":"

struct reading {
	const struct request_client *c;
	uint64_t requests;
	uint64_t lost;
	uint64_t misread; /* lines that are not what a sidecar writes */
	struct process_names names;
};

/*
 * Appends the line with the name of its process, which the sidecar does not look up. A line that
 * cannot be read stays as it is.
 */
static void add_named(struct reading *r, struct text *out, struct span line)
{
	cJSON *request = cJSON_ParseWithLength(line.ptr, line.len);
	double process = request_number(request, "process");
	const char *name = "?";

	text_add_span(out, line);
	if (cJSON_IsObject(request)) {
		if (process >= 1 && process <= INT32_MAX)
			name = process_name(&r->names, (pid_t)process, request_time_ns(request));
		text_truncate(out, out->len - 1); /* its brace */
		if (strcmp(name, "?") == 0)
			json_word(out, "process_name", NULL);
		else
			json_escaped(out, "process_name", span_of(name));
		text_add_char(out, '}');
	}
	cJSON_Delete(request);
}

static int write_line(struct reading *r, struct span line)
{
	struct text named;
	int err;

	if (!r->c->options->wants_threads)
		return request_writer_add(r->c->writer, line);
	text_init(&named);
	add_named(r, &named, line);
	err = named.has_failed ? -ENOMEM : request_writer_add(r->c->writer, text_span(&named));
	text_release(&named);
	return err;
}

static bool on_line(void *ctx, struct span line)
{
	struct reading *r = ctx;
	bool is_loss = span_starts(line, LOST); /* all other lines are longer */
	int err;

	if (is_loss)
		r->lost += strtoull(line.ptr + strlen(LOST), NULL, 10); /* ends in a zero */
	if (is_loss && (r->c->options->format != FORMAT_NDJSON || r->c->options->fields))
		return true;
	err = is_loss ? request_writer_add(r->c->writer, line) : write_line(r, line);
	r->misread += err == -EBADMSG;
	r->requests += !is_loss && !err;
	return !err || err == -EBADMSG;
}

static bool on_pause(void *ctx)
{
	struct reading *r = ctx;

	if (r->c->progress)
		r->c->progress(r->c->ctx, r->requests);
	return request_writer_flush(r->c->writer) == 0;
}

static bool is_over(void *ctx)
{
	struct reading *r = ctx;

	return r->c->is_over(r->c->ctx);
}

static void make_path(struct text *path, const struct options *o, bool is_own)
{
	struct text headers;

	text_init(path);
	text_add(path, "/requests");
	control_parameter(path, "past", o->last || is_own ? "1" : "0");
	control_parameter(path, "follow", o->wants_follow ? "1" : "0");
	control_parameter(path, "query", o->wants_query ? "1" : "0");
	control_parameter(path, "last", o->last);
	control_parameter(path, "status", o->status);
	control_parameter(path, "min-duration", o->min_duration);
	control_parameter(path, "route", o->route);
	control_parameter(path, "method", o->method);
	control_parameter(path, "peer", o->peer);
	control_parameter(path, "container", o->containers);
	control_parameter(path, "trace-id", o->trace_id);
	control_parameter(path, "header", o->header);
	options_header_names(o, &headers);
	control_parameter(path, "headers", headers.len ? headers.ptr : NULL);
	path->has_failed |= headers.has_failed;
	text_release(&headers);
	control_parameter(path, "count", o->count);
}

/* What is missing is said, and in the status. A reader that has had enough misses nothing. */
static int finish(const struct reading *r, int error, int status)
{
	const char *command = r->c->command;

	if (error == -EFBIG)
		log_error("%s: the workbook is full; what came later is not in it", command);
	else if (error && error != -EPIPE)
		log_error("%s: cannot write (%s)", command, strerror(-error));
	if (r->lost)
		log_warn("%s: %llu requests are missing: they came faster than they could be "
			 "written",
			 command, (unsigned long long)r->lost);
	if (r->misread)
		log_warn("%s: %llu lines could not be read", command,
			 (unsigned long long)r->misread);
	if (!status && (r->lost || r->misread || (error && error != -EPIPE)))
		status = REQUEST_CLIENT_INCOMPLETE;
	return status;
}

int request_client_run(const struct request_client *c, uint64_t *ret_requests)
{
	struct reading r = {.c = c};
	struct control_question q = {.command = c->command,
				     .socket = c->options->control,
				     .for_ms = c->options->for_ms,
				     .line = on_line,
				     .pause = on_pause,
				     .is_over = c->is_over ? is_over : NULL,
				     .ctx = &r};
	struct own_capture own;
	struct text path;
	int status = own_capture_start(&own, c->options, c->command);

	*ret_requests = 0;
	if (status)
		return status;
	if (own.pid) {
		q.socket = own.socket;
		q.is_own = true;
	}
	make_path(&path, c->options, q.is_own);
	q.path = path.ptr;
	status = own_capture_end(&own, control_ask(&q));
	text_release(&path);
	*ret_requests = r.requests;
	if (status == REQUEST_CLIENT_USE)
		return status;
	return finish(&r, request_writer_finish(c->writer), status);
}
