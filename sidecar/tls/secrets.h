/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of TLS sessions, by the random of the ClientHello: what a key log holds.
 *
 * Values are overwritten when the table is freed. The number of sessions is bounded; those beyond
 * the bound are counted and not kept.
 */
#ifndef SIDELIGHT_TLS_SECRETS_H
#define SIDELIGHT_TLS_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/key_schedule.h"

/* A table that finds no memory refuses the session. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum tls_secret {
	TLS_SECRET_MASTER, /* TLS 1.2 */
	TLS_SECRET_CLIENT_EARLY, /* of TLS 1.3, as all that follow */
	TLS_SECRET_CLIENT_HANDSHAKE,
	TLS_SECRET_SERVER_HANDSHAKE,
	TLS_SECRET_CLIENT_TRAFFIC,
	TLS_SECRET_SERVER_TRAFFIC,
	TLS_SECRET_MAX,
};

struct tls_session_secrets {
	UT_hash_handle hh;
	const struct tls_session_secrets *older; /* NULL: it is the first that was added */
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t len[TLS_SECRET_MAX]; /* 0: not known */
	uint8_t value[TLS_SECRET_MAX][TLS_MASTER_BYTES];
};

struct tls_secrets;

/* NULL: no memory. */
struct tls_secrets *tls_secrets_new(size_t session_cap);
/* Accepts NULL. */
void tls_secrets_free(struct tls_secrets *s);

/*
 * Keeps a copy of a secret of 1 to TLS_MASTER_BYTES bytes; a newer one takes the place of an older.
 * False: it was dropped, for want of room or memory.
 */
bool tls_secrets_add(struct tls_secrets *s, const uint8_t *client_random, enum tls_secret kind,
		     struct span value);

/* Valid until tls_secrets_free(), and may gain secrets until then. NULL: unknown. */
const struct tls_session_secrets *tls_secrets_find(const struct tls_secrets *s,
						   const uint8_t *client_random);
/* The session that was added last; NULL: there is none. */
const struct tls_session_secrets *tls_secrets_newest(const struct tls_secrets *s);

size_t tls_secrets_sessions(const struct tls_secrets *s);
uint64_t tls_secrets_dropped(const struct tls_secrets *s);

#endif
