/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatches the content of decrypted records by its type. */
#ifndef SIDELIGHT_TLS_CONTENT_H
#define SIDELIGHT_TLS_CONTENT_H

#include "tls/stream.h"

/*
 * Processes a complete record. plaintext: the decrypted body; in TLS 1.3 with content type and
 * padding.
 */
void tls_content(struct tls_stream *t, enum dir dir, const struct tls_record *r,
		 struct span plaintext);

/* TLS 1.3: the content type at the end of the plaintext; 0: there is only padding. */
uint8_t tls_content_type(struct span plaintext);

/*
 * Processes an incomplete record of the phase TRAFFIC. Its present bytes go out if it certainly is
 * application data, else the stream fails.
 */
void tls_content_incomplete(struct tls_stream *t, enum dir dir, const struct tls_record *r);

#endif
