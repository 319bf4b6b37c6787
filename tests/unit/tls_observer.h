/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that gets the secrets of TLS while it runs, and two peers that talk. */
#ifndef SIDELIGHT_TESTS_UNIT_TLS_OBSERVER_H
#define SIDELIGHT_TESTS_UNIT_TLS_OBSERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tls_peer.h"
#include "wire.h"

static const char tls_observer_response[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static struct tls_peer peer; /* large */

#define OBSERVER_MEMORY (16u << 20)

/* An engine that gets secrets while it runs, and what it reports. */
struct observer {
	struct tls_secrets *secrets;
	struct engine *engine;
	struct text log;
	uint64_t now_ns;
	uint64_t unneeded_id; /* the last one that was reported */
	enum sl_mute unneeded;
	unsigned reports;
	uint32_t body_seq; /* of the last answer about a body */
	unsigned answers;
	bool has_offer; /* the secrets of the peers can be fetched */
	unsigned fetches;
};

static const struct txn_sink tls_observer_sink = {.needs = TXN_NEED_TARGET, .done = wire_log};

static void on_unneeded(void *ctx, uint64_t conn_id, enum sl_mute why)
{
	struct observer *o = ctx;

	o->unneeded_id = conn_id;
	o->unneeded = why;
	o->reports++;
}

static void on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct observer *o = ctx;

	assert_int_equal(conn_id, 1);
	assert_int_equal(dir, DIR_EGRESS);
	o->body_seq = seq;
	o->answers++;
}

static inline bool on_secrets_needed(void *ctx);

static inline void observer_begin(struct observer *o)
{
	const char *error = NULL;

	memset(o, 0, sizeof(*o));
	o->now_ns = 1000000000;
	o->secrets = tls_secrets_new_live(512);
	assert_non_null(o->secrets);
	o->engine = engine_new(&(struct engine_options){.conn_cap = 500,
							.memory_cap = OBSERVER_MEMORY,
							.route_cap = 10,
							.secrets = o->secrets,
							.has_live_secrets = true,
							.on_unneeded = on_unneeded,
							.on_frame = on_frame,
							.on_secrets_needed = on_secrets_needed,
							.source_ctx = o},
			       &error);
	assert_non_null(o->engine);
	text_init(&o->log);
	assert_int_equal(engine_add_sink(o->engine, &tls_observer_sink, &o->log), 0);
}

static inline void observer_end(struct observer *o)
{
	engine_free(o->engine);
	text_release(&o->log);
	tls_secrets_free(o->secrets);
}

/* The segments of the peers from the one with this index on, seen by the server. */
static inline void play(struct wire *w, size_t from)
{
	for (size_t i = from; i < peer.segments; i++)
		wire_record(w, peer.order[i].side ? DIR_EGRESS : DIR_INGRESS,
			    (struct span){(const char *)peer.wire[peer.order[i].side] +
						  peer.order[i].from,
					  peer.order[i].len},
			    0, false, false);
}

/* object: that of the session, instead of the random; 0: by the random. */
static inline void add_secrets(struct observer *o, uint64_t object)
{
	static const enum tls_secret kinds[SL_SECRET_KINDS] = {
		[SL_SECRET_MASTER] = TLS_SECRET_MASTER,
		[SL_SECRET_CLIENT_HANDSHAKE] = TLS_SECRET_CLIENT_HANDSHAKE,
		[SL_SECRET_SERVER_HANDSHAKE] = TLS_SECRET_SERVER_HANDSHAKE,
		[SL_SECRET_CLIENT_TRAFFIC] = TLS_SECRET_CLIENT_TRAFFIC,
		[SL_SECRET_SERVER_TRAFFIC] = TLS_SECRET_SERVER_TRAFFIC,
	};
	bool is_13 = tls_suite_is_tls13(peer.suite);

	for (unsigned kind = 0; kind < SL_SECRET_KINDS; kind++) {
		struct sl_secret secret = {.kind = (uint8_t)kind,
					   .has_random = !object,
					   .session = object,
					   .time_ns = ++o->now_ns};

		if ((kind == SL_SECRET_MASTER) == is_13)
			continue;
		secret.len = (uint8_t)(is_13 ? peer_hash_bytes(&peer) : TLS_MASTER_BYTES);
		if (!object)
			memcpy(secret.client_random, peer.client_random, TLS_RANDOM_BYTES);
		memcpy(secret.value, peer.secret[kinds[kind]], secret.len);
		engine_add_secret(o->engine, &secret);
	}
}

static inline bool on_secrets_needed(void *ctx)
{
	struct observer *o = ctx;
	bool had_offer = o->has_offer;

	o->fetches++;
	o->has_offer = false;
	if (had_offer)
		add_secrets(o, 0);
	return had_offer;
}

static inline void tell(struct observer *o)
{
	add_secrets(o, 0);
	assert_true(engine_resume_secrets(o->engine, ++o->now_ns));
}

static inline struct wire open_server(struct observer *o, uint64_t id)
{
	struct wire w = wire_new(o->engine, &o->now_ns, id);

	wire_open(&w, ROLE_SERVER);
	return w;
}

static inline void hello_with_request(uint16_t suite)
{
	tls_peer_hello(&peer, suite, 0, NULL);
	tls_peer_data(&peer, true, tls_peer_request, sizeof(tls_peer_request) - 1);
}

static inline void hello_with_exchange(uint16_t suite)
{
	hello_with_request(suite);
	tls_peer_data(&peer, false, tls_observer_response, sizeof(tls_observer_response) - 1);
}

#endif
