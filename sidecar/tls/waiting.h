/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that wait for secrets. */
#ifndef SIDELIGHT_TLS_WAITING_H
#define SIDELIGHT_TLS_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_stream;
struct tls_env;

/* Zeroed, it is empty. */
struct tls_waiting {
	struct tls_stream *first;
	struct tls_stream *last;
	uint64_t round; /* of tls_waiting_begin() */
	size_t count;
};

/* Of a stream: zeroed, it does not wait. */
struct tls_wait {
	struct tls_stream *next;
	struct tls_stream *before;
	bool is_waiting;
	uint64_t since_ns;
	uint64_t round; /* in which it was handed out */
};

/* No-op if it waits already, or does not. */
void tls_waiting_add(struct tls_stream *t, uint64_t now_ns);
void tls_waiting_remove(struct tls_stream *t);

/*
 * tls_waiting_begin(), then tls_waiting_next() until it returns NULL: each stream once, although
 * others begin and end to wait, or are freed, meanwhile. Who ends earlier gets the others first the
 * next time. before_ns: only those that wait since before.
 */
void tls_waiting_begin(struct tls_env *env);
struct tls_stream *tls_waiting_next(struct tls_env *env, uint64_t before_ns);

#endif
