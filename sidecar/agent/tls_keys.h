/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live TLS in the worker: the table of secrets, which are taken from the kernel's ring when a
 * connection needs one, and otherwise every READER_PERIOD_MS while some come; and a timer,
 * which runs only while connections may wait for theirs.
 */
#ifndef SIDELIGHT_AGENT_TLS_KEYS_H
#define SIDELIGHT_AGENT_TLS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent/reader.h"
#include "broker/link.h"
#include "metrics/tls_connections.h"
#include "txn/engine.h"

struct tls_keys_agent {
	struct tls_secrets *secrets; /* owned; NULL: TLS is not decrypted */
	struct tls_connections *metrics; /* owned */
	struct engine *engine; /* borrowed */
	struct link *link; /* borrowed */
	struct secret_ring ring;
	bool awaits_ring; /* it will come from the broker */
	bool has_said[TLS_FAIL_MAX];
	uv_loop_t *loop; /* NULL: not started */
	uv_timer_t timer; /* gives up connections that wait too long */
	uv_timer_t ring_timer; /* takes what has come to the ring */
	uv_poll_t ring_poll; /* of ring; initialised when that is open */
};

/* is_on: secrets will come. Returns 0 or negative errno. */
int tls_keys_init(struct tls_keys_agent *a, struct registry *r, bool is_on);
/* After the engine, which uses the secrets. Accepts a zeroed one. */
void tls_keys_release(struct tls_keys_agent *a);

void tls_keys_start(struct tls_keys_agent *a, uv_loop_t *loop, struct engine *engine,
		    struct link *link);
/* Closes the handles: the loop must run once more. Not started, or again: no-op. */
void tls_keys_stop(struct tls_keys_agent *a);

/* A connection was opened. */
void tls_keys_opened(struct tls_keys_agent *a);
/* Before an event: the broker may have said where the secrets are. */
void tls_keys_catch_up(struct tls_keys_agent *a);
/* As in struct engine_options. */
bool tls_keys_fetch(struct tls_keys_agent *a);
/* As in struct link_ops. */
void tls_keys_open(struct tls_keys_agent *a, const int fds[SECRET_RING_MAPS]);
void tls_keys_reach(struct tls_keys_agent *a, enum tls_reach reach, uint32_t probes);
/* Before the metrics are read. */
void tls_keys_refresh(struct tls_keys_agent *a);

#endif
