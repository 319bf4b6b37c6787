/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key log format of NSS, which SSLKEYLOGFILE makes most TLS libraries write (RFC 9850): a line
 * per secret,
 *
 *     LABEL CLIENT_RANDOM SECRET
 *
 * the last two in hexadecimal. Empty lines and those that begin with # are comments. Labels that
 * nothing here needs are left out; lines of another form are counted, as a file may end in the
 * middle of one.
 */
#ifndef SIDELIGHT_TLS_KEYLOG_H
#define SIDELIGHT_TLS_KEYLOG_H

#include "base/text.h"
#include "tls/secrets.h"

#define TLS_KEYLOG_BYTES_MAX (64u << 20)

struct tls_keylog_stats {
	uint64_t lines; /* that are no comment */
	uint64_t secrets; /* kept */
	uint64_t malformed;
	uint64_t first_malformed; /* its line number, from 1 */
	uint64_t dropped; /* beyond the cap of the table */
	uint64_t line; /* lines read, comments included */
};

/* Whole lines; the last one need not end in a line feed. */
void tls_keylog_add(struct tls_secrets *secrets, struct span text, struct tls_keylog_stats *stats);

/*
 * Reads a file, at most TLS_KEYLOG_BYTES_MAX of it. Returns 0, or -1 after adding a line to error
 * that does not hold what the file does: it cannot be read, is too long, or has no line that
 * belongs to a key log.
 */
int tls_keylog_read(struct tls_secrets *secrets, const char *path, struct tls_keylog_stats *stats,
		    struct text *error);

#endif
