/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"
#include "capture/pcap.h"
#include "cmd/output_file.h"
#include "cmd/stop.h"
#include "export/lines.h"
#include "export/table.h"
#include "metrics/red.h"
#include "metrics/registry.h"
#include "metrics/summary.h"
#include "metrics/text.h"
#include "tls/keylog.h"
#include "txn/engine.h"
#include "txn/route_doubt.h"

#define EXIT_CUT 1 /* something is missing in what was printed */
#define EXIT_USE 2

#define SUMMARY_ROWS 200
/* Sessions of the key log: 25 MB. */
#define SESSION_CAP 65536

/* What one run is made of; any of them may be NULL in replay_release(). */
struct replay {
	struct source *source;
	struct tls_secrets *secrets;
	struct engine *engine;
	struct lines *lines;
	struct registry *registry;
	struct red *red;
	struct summary *summary;
	struct output_file output;
	struct header_wish headers;
	struct text header_names; /* which it refers to */
};

static void replay_release(struct replay *r)
{
	summary_free(r->summary);
	red_free(r->red);
	registry_free(r->registry);
	lines_free(r->lines);
	engine_free(r->engine);
	tls_secrets_free(r->secrets);
	source_free(r->source);
	output_file_close(&r->output);
	text_release(&r->header_names);
}

static const char *file_name(const struct options *o)
{
	return strcmp(o->file, "-") == 0 ? "standard input" : o->file;
}

/* Without a key log the table is empty, and TLS connections are counted all the same. */
static int read_secrets(struct replay *r, const struct options *o, struct text *error)
{
	struct tls_keylog_stats stats = {0};

	r->secrets = tls_secrets_new(SESSION_CAP);
	if (!r->secrets) {
		text_add(error, "replay: no memory");
		return -1;
	}
	if (!o->keylog)
		return 0;
	text_addf(error, "--keylog: %s: ", o->keylog);
	if (tls_keylog_read(r->secrets, o->keylog, &stats, error) < 0)
		return -1;
	text_clear(error);
	if (stats.malformed)
		log_warn("%s: not of a key log: %" PRIu64 " of %" PRIu64
			 " lines, the first of them line %" PRIu64,
			 o->keylog, stats.malformed, stats.lines, stats.first_malformed);
	if (stats.dropped)
		log_warn("%s: %" PRIu64 " secrets beyond those of %u sessions are not used",
			 o->keylog, stats.dropped, SESSION_CAP);
	return 0;
}

static void warn_of_route(struct span template, const char *why)
{
	log_warn("replay: route template %.*s: %s", SPAN_ARG(template), why);
}

/* With --metrics they are captured, too, as in a sidecar: tests/bench/fields measures that. */
static void want_headers(struct replay *r, const struct options *o)
{
	options_header_names(o, &r->header_names);
	if (r->lines && o->fields)
		lines_pick(r->lines, &o->picks);
	if (!r->header_names.len)
		return;
	if (r->lines)
		lines_show_headers(r->lines, r->header_names.ptr);
	r->headers.names = r->header_names.ptr;
	engine_want_headers(r->engine, &r->headers);
}

static int replay_init(struct replay *r, const struct options *o, struct text *error)
{
	struct streams_options streams = {.conn_cap = o->conn_cap,
					  .observes_client = o->side == SIDE_CLIENT};
	struct engine_options engine = {.conn_cap = o->conn_cap,
					.memory_cap = o->memory_bytes,
					.route_templates = o->routes,
					.route_cap = o->route_cap};
	struct red_options red = {.wants_body_sizes = o->has_body_sizes,
				  .durations = &o->durations};
	const char *engine_error;

	if (read_secrets(r, o, error) < 0)
		return -1;
	engine.secrets = r->secrets;
	text_addf(error, "%s: ", file_name(o));
	r->source = pcap_source_new(o->file, &streams, error);
	if (!r->source)
		return -1;
	text_clear(error);
	r->engine = engine_new(&engine, &engine_error);
	if (!r->engine) {
		text_addf(error, "replay: %s", engine_error);
		return -1;
	}
	route_doubts(o->routes, warn_of_route);
	r->summary = summary_new(o->has_summary ? SUMMARY_ROWS : 1, SUMMARY_BY_ROUTE);
	if (!r->summary)
		goto no_memory;
	if (o->has_summary)
		(void)engine_add_sink(r->engine, &summary_sink, r->summary); /* there is room */
	if (!o->wants_metrics) {
		r->lines = lines_new(r->output.file, (enum request_format)o->format, 0);
		if (!r->lines)
			goto no_memory;
		if (o->wants_query)
			lines_show_query(r->lines);
		want_headers(r, o);
		lines_fit(r->lines, terminal_columns(fileno(r->output.file)),
			  terminal_has_colors(fileno(r->output.file)));
		(void)engine_add_sink(r->engine, &lines_sink, r->lines); /* likewise */
		return 0;
	}
	r->registry = registry_new(o->series_cap);
	if (!r->registry)
		goto no_memory;
	r->red = red_new(r->registry, &red);
	if (!r->red)
		goto no_memory;
	(void)engine_add_sink(r->engine, &red_sink, r->red); /* likewise */
	want_headers(r, o);
	return 0;

no_memory:
	text_add(error, "no memory");
	return -1;
}

/* The labels that every series carries, as `run` sets them. */
static int print_metrics(const struct replay *r, const struct options *o)
{
	const struct label labels[] = {
		{"namespace", o->namespace ? o->namespace : ""},
		{"pod", o->pod ? o->pod : ""},
		{"node", o->node ? o->node : ""},
		{"workload", o->workload ? o->workload : ""},
	};
	struct text out;
	int err = 0;

	text_init(&out);
	text_encode(&out, r->registry, TEXT_PROMETHEUS, labels, sizeof(labels) / sizeof(labels[0]));
	if (out.has_failed)
		err = -ENOMEM;
	else if (fwrite(out.ptr, 1, out.len, r->output.file) != out.len ||
		 fflush(r->output.file) != 0)
		err = -errno;
	text_release(&out);
	return err;
}

/* ", N noun" or "; lost: N noun", for what is not zero. */
static void add_count(struct text *t, uint64_t n, const char *noun, const char **separator)
{
	if (!n)
		return;
	text_addf(t, "%s%" PRIu64 " %s", *separator, n, noun);
	*separator = ", ";
}

/* TLS connections that were not decrypted, or not to their end. */
static void add_tls_failures(struct text *t, const struct tls_stats *tls, const char **separator)
{
	for (unsigned i = TLS_FAIL_NONE + 1; i < TLS_FAIL_MAX; i++) {
		char noun[64];

		(void)snprintf(noun, sizeof(noun), "TLS connections dark: %s",
			       tls_fail_name((enum tls_fail)i)); /* the names are short */
		add_count(t, tls->failed[i], noun, separator);
	}
}

/* Are requests missing in what was printed, or may they be? */
static bool is_incomplete(const struct replay *r)
{
	const struct pcap_source_stats *file = pcap_source_stats(r->source);
	const struct streams_stats *streams = pcap_source_streams(r->source);
	const struct engine_stats *engine = engine_stats(r->engine);
	uint64_t sum = engine->responses_unpaired + engine->requests_unanswered +
		       engine->bytes_lost_framing + engine->conns_evicted_memory +
		       engine->events_refused + file->fate[PACKET_FRAGMENT] +
		       file->fate[PACKET_CUT] + file->other_link + streams->memory_failed +
		       streams->after_close + streams->conns_evicted +
		       engine->conns_muted[SL_MUTE_MPTCP];

	for (unsigned i = 0; i < ENGINE_LOST_MAX; i++)
		sum += engine->lost[i];
	for (unsigned i = TLS_FAIL_NONE + 1; i < TLS_FAIL_MAX; i++)
		sum += i == TLS_FAIL_NOT_HTTP ? 0 : engine->tls.failed[i];
	return sum > 0;
}

static void log_counts(const struct replay *r)
{
	const struct pcap_source_stats *file = pcap_source_stats(r->source);
	const struct streams_stats *streams = pcap_source_streams(r->source);
	const struct engine_stats *engine = engine_stats(r->engine);
	const char *separator = " (";
	struct text t;

	text_init(&t);
	text_addf(&t, "%" PRIu64 " packets", file->packets);
	add_count(&t, file->fate[PACKET_OTHER] - file->other_link, "not TCP", &separator);
	add_count(&t, file->fate[PACKET_MALFORMED], "malformed", &separator);
	add_count(&t, streams->retransmitted, "repeated", &separator);
	add_count(&t, streams->outside, "outside of any window", &separator);
	add_count(&t, file->time_set_back, "with the clock set back", &separator);
	add_count(&t, file->time_strays, "with a time far from that of their neighbours",
		  &separator);
	text_addf(&t, "%s, %" PRIu64 " connections, %" PRIu64 " requests",
		  separator[0] == ',' ? ")" : "", streams->conns, engine->transactions);
	separator = "; lost: ";
	for (unsigned i = 0; i < ENGINE_LOST_MAX; i++)
		add_count(&t, engine->lost[i], engine_lost_name(i), &separator);
	add_count(&t, engine->responses_unpaired, "responses without request", &separator);
	add_count(&t, engine->requests_unanswered, "unanswered at the end", &separator);
	add_tls_failures(&t, &engine->tls, &separator);
	add_count(&t, file->fate[PACKET_FRAGMENT], "fragments", &separator);
	add_count(&t, file->fate[PACKET_CUT], "packets with headers cut off", &separator);
	add_count(&t, file->other_link, "packets of a link type that is not supported", &separator);
	add_count(&t, streams->memory_failed, "packets dropped for want of memory", &separator);
	add_count(&t, streams->bytes_cut, "bytes cut off by the snapshot length", &separator);
	add_count(&t, streams->bytes_missing, "bytes that the capture missed", &separator);
	add_count(&t, streams->after_close, "segments after the end of their connection",
		  &separator);
	add_count(&t, streams->conns_evicted, "connections evicted", &separator);
	add_count(&t, engine->conns_muted[SL_MUTE_MPTCP],
		  "subflows of MPTCP connections with several", &separator);
	add_count(&t, engine->conns_evicted_memory, "connections given up for memory", &separator);
	add_count(&t, engine->events_refused, "events without memory for their connection",
		  &separator);
	if (!t.has_failed)
		log_info("%s", t.ptr);
	text_release(&t);
}

/* A pipe that goes on: whoever waits for a line gets it when it is there. */
static void set_buffering(const struct options *o, FILE *out)
{
	struct stat st;
	int rc = strcmp(o->file, "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(o->file, &st);

	if (rc == 0 && !S_ISREG(st.st_mode))
		(void)setvbuf(out, NULL, _IOLBF, 0); /* else lines come later */
}

static void print_summary(struct replay *r)
{
	struct text out;

	text_init(&out);
	table_add(&out, r->summary, 0, terminal_columns(STDERR_FILENO));
	if (!out.has_failed)
		(void)fputs(out.ptr, stderr); /* nobody to tell if standard error is closed */
	text_release(&out);
}

/* Returns the exit status. */
static int finish_output(struct replay *r, const struct options *o)
{
	int err = o->wants_metrics ? print_metrics(r, o) : lines_finish(r->lines);

	if (err == -EFBIG)
		log_error("replay: the workbook is full; what came later is not in it");
	else if (err)
		log_error("replay: %s: cannot be written (%s)", r->output.name, strerror(-err));
	if (err && err != -EFBIG)
		return EXIT_CUT;
	return output_file_commit(&r->output) || err ? EXIT_CUT : 0;
}

static int replay_run(struct replay *r, const struct options *o)
{
	const char *broken;
	int status;

	/* Nobody reads what cannot be written: a pipe may go on for ever. */
	while (!stop_is_wanted() && (!r->lines || !lines_error(r->lines)) &&
	       source_drain(r->source, engine_event, r->engine) > 0)
		;
	engine_flush(r->engine, pcap_source_stats(r->source)->last_ns);
	if (r->red)
		red_active(r->red, engine_actives(r->engine), ACTIVE_CELLS + 1);
	status = finish_output(r, o);
	broken = pcap_source_error(r->source);
	if (broken && !stop_is_wanted()) {
		log_warn("%s: ends too early: %s", file_name(o), broken);
		status = EXIT_CUT;
	}
	if (o->has_summary)
		print_summary(r);
	log_counts(r);
	return is_incomplete(r) ? EXIT_CUT : status;
}

int command_replay(const struct options *o)
{
	struct replay r = {0};
	struct text error;
	int status = EXIT_USE;

	text_init(&error);
	text_init(&r.header_names);
	if (o->output)
		stop_watch();
	if (output_file_open(&r.output, "replay", o->output) < 0) {
		status = EXIT_CUT;
	} else {
		set_buffering(o, r.output.file);
		if (replay_init(&r, o, &error) < 0)
			log_error("%s", error.ptr);
		else
			status = replay_run(&r, o);
	}
	text_release(&error);
	replay_release(&r);
	return status;
}
