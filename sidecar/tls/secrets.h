/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of TLS sessions from a key log, by the random of the ClientHello.
 *
 * The secrets are overwritten when the table is freed. The number of sessions is bounded; sessions
 * beyond the bound are counted and dropped.
 */
#ifndef SIDELIGHT_TLS_SECRETS_H
#define SIDELIGHT_TLS_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/key_schedule.h"

/* uthash refuses the session if there is no memory, instead of exiting. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum tls_secret {
	TLS_SECRET_MASTER, /* TLS 1.2 */
	TLS_SECRET_CLIENT_EARLY, /* TLS 1.3, as all that follow */
	TLS_SECRET_CLIENT_HANDSHAKE,
	TLS_SECRET_SERVER_HANDSHAKE,
	TLS_SECRET_CLIENT_TRAFFIC,
	TLS_SECRET_SERVER_TRAFFIC,
	TLS_SECRET_MAX,
};

struct tls_session_secrets {
	UT_hash_handle hh;
	/* The session added before this one; NULL: this is the first. */
	const struct tls_session_secrets *older;
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t len[TLS_SECRET_MAX]; /* 0: not known */
	uint8_t value[TLS_SECRET_MAX][TLS_MASTER_BYTES];
};

struct tls_secrets;

/* Returns NULL if there is no memory. */
struct tls_secrets *tls_secrets_new(size_t session_cap);
/* Accepts NULL. */
void tls_secrets_free(struct tls_secrets *s);

/*
 * Stores a copy of a secret of 1 to TLS_MASTER_BYTES bytes, replacing an older one of the same
 * kind. Returns false if it was dropped: the table is full, or there is no memory.
 */
bool tls_secrets_add(struct tls_secrets *s, const uint8_t *client_random, enum tls_secret kind,
		     struct span value);

/*
 * Returns the session's secrets, valid until tls_secrets_free(); further secrets may be added until
 * then. Returns NULL if the session is unknown.
 */
const struct tls_session_secrets *tls_secrets_find(const struct tls_secrets *s,
						   const uint8_t *client_random);
/* The session that was added last, or NULL. */
const struct tls_session_secrets *tls_secrets_newest(const struct tls_secrets *s);

size_t tls_secrets_sessions(const struct tls_secrets *s);
uint64_t tls_secrets_dropped(const struct tls_secrets *s);

#endif
