/* SPDX-License-Identifier: Apache-2.0 */
/* Which secret opens the next record of a direction, and the changes of keys. */
#ifndef SIDELIGHT_TLS_KEYS_H
#define SIDELIGHT_TLS_KEYS_H

#include "tls/stream.h"

enum tls_keys {
	TLS_KEYS_READY, /* the direction's cipher is set */
	TLS_KEYS_AWAITED, /* the secret may still come */
	TLS_KEYS_NONE, /* the stream is dark now */
};

/* The direction's phase begins: its keys are looked up with the first record. */
void tls_keys_begin(struct tls_stream *t, enum dir dir, enum tls_phase phase);

/* r: the record that the keys are for, which tells secrets of several sessions apart. */
enum tls_keys tls_keys_ensure(struct tls_stream *t, enum dir dir, const struct tls_record *r);

/* KeyUpdate of TLS 1.3. */
void tls_keys_update(struct tls_stream *t, enum dir dir);

/* The keys of all directions are wiped. */
void tls_keys_wipe(struct tls_stream *t);

#endif
