/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of TLS sessions from a key log, by the random of the ClientHello.
 *
 * Values are overwritten when the table is freed. The number of sessions is bounded; those beyond
 * the bound are counted and not kept.
 *
 * A table is filled before it is used, or live: secrets come while connections use it. Of a live
 * table the memory is locked and left out of core dumps, a session is overwritten once no
 * connection needs it any more, and a full table gives up the oldest session that no connection has
 * found.
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
	struct tls_session_secrets *older;
	struct tls_session_secrets *newer;
	unsigned users; /* connections that use it */
	bool is_used; /* see tls_secrets_release_used() */
	bool is_nameless; /* client_random is not known: see tls_secrets_add_nameless() */
	/* Of a nameless session: */
	bool is_replaced; /* its pointer stands for another session now */
	bool has_ended; /* no connection needs it: no values are kept */
	uint8_t seen; /* the kinds that have come, one bit for each enum tls_secret */
	uint64_t added_ns; /* by the time of the table */
	uint64_t turn; /* of the secret by which it is found by trial; 0: that has not come */
	uint8_t client_random[TLS_RANDOM_BYTES];
	uint8_t len[TLS_SECRET_MAX]; /* 0: not known */
	uint8_t value[TLS_SECRET_MAX][TLS_MASTER_BYTES];
};

struct tls_secrets;

/* Returns NULL if there is no memory. */
struct tls_secrets *tls_secrets_new(size_t session_cap);
struct tls_secrets *tls_secrets_new_live(size_t session_cap);
/* Accepts NULL. */
void tls_secrets_free(struct tls_secrets *s);

/*
 * Stores a copy of a secret of 1 to TLS_MASTER_BYTES bytes, replacing an older one of the same
 * kind. Returns false if it was dropped: the table is full, or there is no memory.
 */
bool tls_secrets_add(struct tls_secrets *s, const uint8_t *client_random, enum tls_secret kind,
		     struct span value);

/*
 * Likewise, where only a pointer tells which secrets belong together: that of a library's object of
 * the session, in one process. Such a session is found by trial.
 *
 * Libraries free these objects, and use their memory again. A secret begins a new session if its
 * kind has come before with another value, if it is of another version of TLS, or if it is that of
 * the server's handshake, which precedes those of application data. (OpenSSL derives the one of the
 * client's handshake later than the server's first one of application data.) If a connection ends
 * before all its secrets have come, the session stays without values until then, so that the rest
 * does not become a part of the next session.
 */
bool tls_secrets_add_nameless(struct tls_secrets *s, uint64_t process, uint64_t object,
			      enum tls_secret kind, struct span value);

/* Valid until tls_secrets_free(), of a live table while it is held; it may gain secrets. NULL:
 * unknown. */
struct tls_session_secrets *tls_secrets_find(const struct tls_secrets *s,
					     const uint8_t *client_random);
/* The session that was added last; NULL: there is none. */
struct tls_session_secrets *tls_secrets_newest(const struct tls_secrets *s);
/* The highest turn of those that can be found by trial: with ECH all, else the nameless ones. */
uint64_t tls_secrets_turn(const struct tls_secrets *s, bool has_ech);

/* A connection uses a session, or does not any more: then it may be gone. e may be NULL. */
void tls_secrets_hold(struct tls_session_secrets *e);
void tls_secrets_release(struct tls_secrets *s, struct tls_session_secrets *e);

/*
 * Likewise, if another connection that will use the session may not have looked for it yet: it is
 * kept until tls_secrets_end_used(), before which all look.
 */
void tls_secrets_release_used(struct tls_secrets *s, struct tls_session_secrets *e);
void tls_secrets_end_used(struct tls_secrets *s);

/* Of a live table: the time now; what was added before `before_ns` and nobody uses is overwritten.
 */
void tls_secrets_expire(struct tls_secrets *s, uint64_t now_ns, uint64_t before_ns);

size_t tls_secrets_sessions(const struct tls_secrets *s);
uint64_t tls_secrets_dropped(const struct tls_secrets *s);

#endif
