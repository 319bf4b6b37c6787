/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the key log format of NSS, which most TLS libraries write if SSLKEYLOGFILE is set (RFC
 * 9850): one line per secret,
 *
 *     LABEL CLIENT_RANDOM SECRET
 *
 * with the last two in hexadecimal. Empty lines and lines that begin with # are comments. Secrets
 * that are not needed are ignored. Malformed lines are counted, since a file may end inside a line.
 */
#ifndef SIDELIGHT_TLS_KEYLOG_H
#define SIDELIGHT_TLS_KEYLOG_H

#include "base/text.h"
#include "tls/secrets.h"

#define TLS_KEYLOG_BYTES_MAX (64u << 20)

struct tls_keylog_stats {
	uint64_t lines; /* lines that are not comments */
	uint64_t secrets; /* stored secrets */
	uint64_t malformed;
	uint64_t first_malformed; /* line number, from 1 */
	uint64_t dropped; /* secrets beyond the cap of the table */
	uint64_t line; /* lines read, comments included */
};

/* Parses complete lines; the last one may lack the line feed. */
void tls_keylog_add(struct tls_secrets *secrets, struct span text, struct tls_keylog_stats *stats);

/*
 * Reads at most TLS_KEYLOG_BYTES_MAX of a file. Returns 0, or -1 after appending one line to error,
 * without content of the file: it can't be read, is too long, or contains no line of a key log.
 */
int tls_keylog_read(struct tls_secrets *secrets, const char *path, struct tls_keylog_stats *stats,
		    struct text *error);

#endif
