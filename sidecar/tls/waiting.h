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
	struct tls_stream *newest;
	struct tls_stream *cursor; /* what tls_waiting_next() looks at next */
	size_t count;
};

/* Of a stream: zeroed, it does not wait. */
struct tls_wait {
	struct tls_stream *older;
	struct tls_stream *newer;
	bool is_waiting;
	uint64_t since_ns;
};

/* No-op if it waits already, or does not. */
void tls_waiting_add(struct tls_stream *t, uint64_t now_ns);
void tls_waiting_remove(struct tls_stream *t);

/*
 * tls_waiting_begin(), then tls_waiting_next() until it returns NULL: each stream once that waits
 * since before before_ns, the newest first, although others begin and end to wait, or are freed,
 * meanwhile. One round at a time.
 */
void tls_waiting_begin(struct tls_env *env);
struct tls_stream *tls_waiting_next(struct tls_env *env, uint64_t before_ns);

#endif
