/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of HTTP/2, from events to transactions. Bits of the first byte: 0 and 1 are the role, 2
 * that records say where frames start. The rest are records of the two directions alternately, each
 * with two bytes N and then N bytes of data; bit 15 of N: the record gets lost; bit 14: it is
 * followed by as many bytes that were not copied as its data has, times 16.
 *
 * It holds that times of a transaction are in order, its words are words, and that at the end
 * nothing is open and all memory is given back.
 */
#include <string.h>

#include "fuzz.h"
#include "proto/grpc.h"
#include "txn/engine.h"

static void done(void *ctx, const struct transaction *t)
{
	uint64_t *count = ctx;
	char buf[GRPC_STATUS_SIZE];

	++*count;
	fuzz_check(t->role == ROLE_SERVER || t->role == ROLE_CLIENT);
	fuzz_check(t->known_method && t->route && t->server_address);
	fuzz_check(strlen(t->route) < 512 && strlen(t->known_method) < 64);
	fuzz_check(t->start_ns && t->start_ns <= t->end_ns);
	fuzz_check(!t->first_byte_ns || t->first_byte_ns <= t->end_ns);
	fuzz_check(t->http.status <= 999 && t->error < TXN_ERROR_MAX);
	fuzz_check(t->http.target.len <= TXN_TARGET_MAX);
	if (t->protocol == TXN_GRPC)
		fuzz_check(*grpc_status_name(t->grpc.status, buf));
}

static const struct txn_sink sink = {.done = done};

static void ignore(void *ctx, const struct transaction *t)
{
	(void)ctx;
	(void)t;
}

/* Needs the targets, and does nothing with them. */
static const struct txn_sink target_sink = {.needs = TXN_NEED_TARGET, .done = ignore};

static void run(uint8_t flags, const uint8_t *data, size_t size, struct engine *e)
{
	uint32_t seq[2] = {1, 1};
	struct event ev = {.kind = EVENT_OPEN, .id = 1, .time_ns = 1, .open.role = flags & 3};

	if ((flags & 3) != 3)
		engine_event(e, &ev);
	for (unsigned dir = 0; size >= 2; dir ^= 1) {
		if (flags & 32 && dir)
			engine_remove_sink(e, &target_sink, NULL);
		else if (flags & 32)
			(void)engine_add_sink(e, &target_sink, NULL);
		size_t word = (size_t)data[0] << 8 | data[1];
		size_t n = word & 0x3fff;

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		ev = (struct event){
			.kind = EVENT_DATA,
			.id = 1,
			.time_ns = ++ev.time_ns,
			.data = {.dir = (enum dir)dir,
				 .data = {(const char *)data, n},
				 .seq = seq[dir],
				 .from_seq = seq[dir],
				 .to_seq = seq[dir] + (uint32_t)n * (word & 0x4000 ? 17 : 1),
				 .is_frame = flags & 4},
		};
		seq[dir] = ev.data.to_seq;
		if (!(word & 0x8000))
			engine_event(e, &ev);
		data += n;
		size -= n;
	}
	ev = (struct event){.kind = EVENT_CLOSE,
			    .id = 1,
			    .time_ns = ev.time_ns + 1,
			    .close = {.is_reset = flags & 8}};
	engine_event(e, &ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_options options = {.conn_cap = 4, .route_cap = 4};
	const char *error;
	struct engine *e = engine_new(&options, &error);
	uint64_t count = 0;

	if (size == 0 || !e) {
		engine_free(e);
		return 0;
	}
	(void)engine_add_sink(e, &sink, &count);
	if (data[0] & 16)
		(void)engine_add_sink(e, &target_sink, NULL);
	run(data[0], data + 1, size - 1, e);
	fuzz_check(engine_stats(e)->requests_open == 0);
	fuzz_check(engine_stats(e)->http2_table_bytes == 0);
	fuzz_check(engine_stats(e)->transactions == count);
	engine_free(e);
	return 0;
}
