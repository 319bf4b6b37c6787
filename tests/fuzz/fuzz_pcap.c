/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file, through packets, events and transactions to lines. Tables
 * are small, so that evictions happen. It holds that
 *   - every packet has one fate;
 *   - events obey capture/event.h: OPEN once and first, nothing after CLOSE,
 *     segments with ascending positions, nothing beyond a FIN, times of a connection
 *     that do not go back;
 *   - times of a transaction are in order;
 *   - the output consists of visible ASCII characters.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/pcap.h"
#include "export/lines.h"
#include "fuzz.h"
#include "txn/engine.h"

#define CONNS 1024 /* ids are counted up; more of them are not checked */

struct conn_seen {
	bool is_open;
	bool is_closed;
	bool has_fin[2];
	uint32_t fin[2];
	uint64_t time_ns;
};

struct check {
	struct engine *engine;
	uint64_t time_ns;
	struct conn_seen conn[CONNS];
};

static void check_data(struct conn_seen *c, const struct segment_view *d)
{
	uint32_t len = d->to_seq - d->from_seq;

	fuzz_check(len <= INT32_MAX);
	fuzz_check(d->seq - d->from_seq <= len);
	fuzz_check(d->data.len <= d->to_seq - d->seq);
	fuzz_check(!c->has_fin[d->dir] || (int32_t)(d->to_seq - c->fin[d->dir]) <= 0);
	if (!d->is_fin)
		return;
	fuzz_check(!c->has_fin[d->dir]);
	c->has_fin[d->dir] = true;
	c->fin[d->dir] = d->to_seq;
}

static void check_event(void *ctx, const struct event *ev)
{
	struct check *check = ctx;

	check->time_ns = ev->time_ns;
	if (ev->id < CONNS) {
		struct conn_seen *c = &check->conn[ev->id];

		/* A connection may be muted before it carries data. */
		fuzz_check(ev->kind == EVENT_MUTE || c->is_open == (ev->kind != EVENT_OPEN));
		fuzz_check(!c->is_closed);
		fuzz_check(ev->time_ns >= c->time_ns);
		c->time_ns = ev->time_ns;
		c->is_open = true;
		c->is_closed = ev->kind == EVENT_CLOSE || ev->kind == EVENT_MUTE;
		if (ev->kind == EVENT_DATA)
			check_data(c, &ev->data);
	}
	engine_event(check->engine, ev);
}

static void check_transaction(void *ctx, const struct transaction *t)
{
	(void)ctx;
	fuzz_check(t->role == ROLE_SERVER || t->role == ROLE_CLIENT);
	fuzz_check(t->start_ns <= t->end_ns);
	fuzz_check(!t->first_byte_ns ||
		   (t->start_ns <= t->first_byte_ns && t->first_byte_ns <= t->end_ns));
	fuzz_check(t->http.status || t->error);
}

static void check_fates(const struct pcap_source_stats *stats)
{
	uint64_t sum = 0;

	for (int i = 0; i < PACKET_FATE_MAX; i++)
		sum += stats->fate[i];
	fuzz_check(sum == stats->packets);
}

/* The source reads from a descriptor. */
static FILE *open_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, data, size) == (ssize_t)size);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
	return fdopen(fd, "rb");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct txn_sink transactions = {.done = check_transaction};
	static const struct streams_options streams = {.conn_cap = 4};
	static const struct engine_options options = {
		.conn_cap = 3, .route_templates = "/a/{b}/*", .route_cap = 2};
	struct check *check = calloc(1, sizeof(*check));
	char *printed = NULL;
	size_t printed_len = 0;
	FILE *in = open_file(data, size);
	FILE *out = open_memstream(&printed, &printed_len);
	struct source *source;
	struct lines *lines;
	struct text error;
	const char *why;

	fuzz_check(check && in && out);
	lines = lines_new(out, size % 2 ? FORMAT_NDJSON : FORMAT_TABLE, 0);
	check->engine = engine_new(&options, &why);
	fuzz_check(lines && check->engine);
	(void)engine_add_sink(check->engine, &transactions, NULL);
	(void)engine_add_sink(check->engine, &lines_sink, lines);
	text_init(&error);
	source = pcap_source_from_file(in, &streams, &error);
	fuzz_check(source || error.len);
	while (source && source_drain(source, check_event, check) > 0)
		;
	if (source)
		check_fates(pcap_source_stats(source));
	engine_flush(check->engine, check->time_ns);
	fuzz_check(lines_finish(lines) == 0);
	for (size_t i = 0; i < printed_len; i++)
		fuzz_check(printed[i] == '\n' || (printed[i] >= ' ' && printed[i] <= '~'));
	source_free(source);
	text_release(&error);
	engine_free(check->engine);
	lines_free(lines);
	(void)fclose(out); /* memory */
	free(printed);
	free(check);
	return 0;
}
