/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the secret that decrypts the next record of a direction, and changes keys. */
#ifndef SIDELIGHT_TLS_KEYS_H
#define SIDELIGHT_TLS_KEYS_H

#include "tls/stream.h"

enum tls_keys {
	TLS_KEYS_READY, /* the direction's cipher is set */
	TLS_KEYS_AWAITED, /* the secret is not known yet */
	TLS_KEYS_NONE, /* the stream has failed */
};

/* Begins a phase of the direction; its keys are looked up with the first record. */
void tls_keys_begin(struct tls_stream *t, enum dir dir, enum tls_phase phase);

/* Sets the keys for record r. r identifies the session if several sets of secrets are possible. */
enum tls_keys tls_keys_ensure(struct tls_stream *t, enum dir dir, const struct tls_record *r);

/*
 * Of a stream that waits: looks for its session by name and, if it may, by trial, which counts in
 * tls_env.trials. Returns false if there are some that it has not tried.
 */
bool tls_keys_find(struct tls_stream *t, bool may_try);

/* A KeyUpdate of TLS 1.3 was received. */
void tls_keys_update(struct tls_stream *t, enum dir dir);

/* The secrets of the session are not needed any more, or are those of another. */
void tls_keys_forget(struct tls_stream *t);

/* The keys of all directions are wiped, and the secrets forgotten. */
void tls_keys_wipe(struct tls_stream *t);

#endif
