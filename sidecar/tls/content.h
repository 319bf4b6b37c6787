/* SPDX-License-Identifier: Apache-2.0 */
/* The content of decrypted records, by its type. */
#ifndef SIDELIGHT_TLS_CONTENT_H
#define SIDELIGHT_TLS_CONTENT_H

#include "tls/stream.h"

/* Of a whole record. plain: what was decrypted; of TLS 1.3 with type and padding behind it. */
void tls_content(struct tls_stream *t, enum dir dir, const struct tls_record *r, struct span plain);

/* Of TLS 1.3, where the type is behind the content; 0: there is nothing but padding. */
uint8_t tls_content_type(struct span plain);

/*
 * A record of the phase TRAFFIC of which bytes are missing: goes out where it is certain what they
 * were, else the stream is dark.
 */
void tls_content_cut(struct tls_stream *t, enum dir dir, const struct tls_record *r);

#endif
