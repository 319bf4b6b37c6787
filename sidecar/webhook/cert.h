/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serving certificate, read from files, and exchanged while connections
 * are open: a new handshake uses the newest one, an older one lives as long as
 * connections that may use it.
 *
 * There is one in a process: GnuTLS asks for it by a callback without context.
 */
#ifndef SIDELIGHT_WEBHOOK_CERT_H
#define SIDELIGHT_WEBHOOK_CERT_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdint.h>

#include "base/text.h"

struct cert;

/*
 * Reads a certificate chain and its private key (PEM) and makes them the ones
 * to use. Returns 0, or a negative errno after adding a line to error; then the ones
 * before stay in use. A key that does not fit the certificate, as while the
 * second of two files is still to be replaced, is -EINVAL.
 */
int cert_load(const char *cert_file, const char *key_file, struct text *error);

/* For as long as a connection lives: keeps what its handshake may use. */
struct cert *cert_hold(void);
void cert_drop(struct cert *c);

/* When the one in use ends, in seconds since 1970; 0 if there is none. */
int64_t cert_expiry(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
int cert_choose(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
		const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
		gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key);

/* At the end, when no connection is left. */
void cert_release(void);

#endif
