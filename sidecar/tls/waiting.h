/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that wait for secrets, found by the random of their ClientHello: both ends of a
 * connection may be observed, and have the same one.
 */
#ifndef SIDELIGHT_TLS_WAITING_H
#define SIDELIGHT_TLS_WAITING_H

#include <stddef.h>
#include <stdint.h>

#define TLS_WAITING_BUCKETS 256u

struct tls_stream;
struct tls_env;

/* Zeroed, it is empty. */
struct tls_waiting {
	struct tls_stream *bucket[TLS_WAITING_BUCKETS]; /* by the first byte of the random */
	uint64_t round; /* of tls_waiting_begin() */
	size_t count;
};

/* Of a stream: zeroed, it does not wait. */
struct tls_wait {
	struct tls_stream *next; /* of the same bucket */
	struct tls_stream **at; /* what points to the stream; NULL: it does not wait */
	uint64_t since_ns;
	uint64_t round; /* in which it was handed out */
};

/* No-op if it waits already, or does not. */
void tls_waiting_add(struct tls_stream *t, uint64_t now_ns);
void tls_waiting_remove(struct tls_stream *t);

/*
 * tls_waiting_begin(), then tls_waiting_next() until it returns NULL: each stream once, although
 * others begin and end to wait, or are freed, meanwhile. client_random: only those that have it.
 * NULL: all. before_ns: only those that wait since before.
 */
void tls_waiting_begin(struct tls_env *env);
struct tls_stream *tls_waiting_next(struct tls_env *env, const uint8_t *client_random,
				    uint64_t before_ns);

#endif
