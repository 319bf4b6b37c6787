/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the ring through record_read() into the engine. The input is a sequence of records,
 * each behind its length in two bytes (little endian); malformed ones are skipped. It
 * holds that
 *   - an accepted record obeys capture/event.h;
 *   - tables keep to their caps, and nothing is open at the end;
 *   - transactions are counted as they are reported;
 *   - times of a transaction are in order.
 */
#include <string.h>

#include "capture/record.h"
#include "fuzz.h"
#include "txn/engine.h"

#define RECORD_MAX 512

static void check_event(const struct event *ev, const void *record, size_t size)
{
	const struct segment_view *d = &ev->data;
	uint32_t whole;

	if (ev->kind != EVENT_DATA)
		return;
	whole = d->to_seq - d->from_seq;
	fuzz_check(whole <= INT32_MAX);
	fuzz_check(d->seq - d->from_seq <= whole);
	fuzz_check(d->data.len <= d->to_seq - d->seq);
	fuzz_check(d->data.ptr >= (const char *)record);
	fuzz_check(d->data.ptr + d->data.len <= (const char *)record + size);
}

static void check_transaction(void *ctx, const struct transaction *t)
{
	(*(uint64_t *)ctx)++;
	fuzz_check(t->role == ROLE_SERVER || t->role == ROLE_CLIENT);
	fuzz_check(t->start_ns <= t->end_ns);
	fuzz_check(!t->first_byte_ns ||
		   (t->start_ns <= t->first_byte_ns && t->first_byte_ns <= t->end_ns));
	fuzz_check(t->http.status || t->error);
}

static void check_stats(struct engine *engine, uint64_t reported)
{
	const struct engine_stats *s = engine_stats(engine);

	fuzz_check(s->transactions == reported);
	fuzz_check(s->conns_open <= 3);
	fuzz_check(s->conns_open + s->conns_evicted <= s->conns_total);
	fuzz_check(s->requests_open <= 3 * 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct engine_options options = {
		.conn_cap = 3, .route_templates = "/a/{b}/*", .route_cap = 2};
	static const struct txn_sink sink = {.needs = TXN_NEED_TARGET, .done = check_transaction};
	_Alignas(8) uint8_t record[RECORD_MAX];
	uint64_t reported = 0;
	struct engine *engine;
	const char *error;
	size_t len;

	engine = engine_new(&options, &error);
	fuzz_check(engine);
	(void)engine_add_sink(engine, &sink, &reported);
	for (; size >= 2; data += len, size -= len) {
		struct event ev;

		len = (size_t)(data[0] | data[1] << 8);
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (len > RECORD_MAX)
			len = RECORD_MAX;
		memcpy(record, data, len);
		if (record_read(record, len, &ev) < 0)
			continue;
		check_event(&ev, record, len);
		engine_event(engine, &ev);
		check_stats(engine, reported);
	}
	engine_flush(engine, UINT64_MAX);
	check_stats(engine, reported);
	fuzz_check(engine_stats(engine)->conns_open == 0);
	fuzz_check(engine_stats(engine)->requests_open == 0);
	engine_free(engine);
	return 0;
}
