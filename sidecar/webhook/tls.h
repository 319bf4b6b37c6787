/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of TLS 1.2 and 1.3 on a non-blocking socket (GnuTLS), with
 * the certificate of cert.h, and the authority of client certificates.
 *
 * There is one authority in a process, as there is one certificate.
 */
#ifndef SIDELIGHT_WEBHOOK_TLS_H
#define SIDELIGHT_WEBHOOK_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

/* What is common to all sessions. Returns 0 or -ENOMEM; tls_stop() accepts both outcomes. */
int tls_start(void);
void tls_stop(void);

/*
 * From now on a handshake succeeds only with a client certificate that leads to
 * one in this file (PEM). Returns 0, or a negative errno after adding a line
 * to error; then all is as before.
 */
int tls_require_clients(const char *file, struct text *error);

/* NULL: no memory. The descriptor is borrowed. */
gnutls_session_t tls_open(int fd);
/* Accepts NULL. */
void tls_close(gnutls_session_t tls);

/* Returns 0 when the handshake is finished, -EAGAIN, or -EPROTO: it failed. */
int tls_handshake(gnutls_session_t tls);

/* As read() and write(), but -errno. The end of the stream is 0, also without close_notify. */
ssize_t tls_read(gnutls_session_t tls, void *buf, size_t size);
ssize_t tls_write(gnutls_session_t tls, const void *buf, size_t size);

/* Sends close_notify, if that is possible without waiting. */
void tls_end(gnutls_session_t tls);

#endif
