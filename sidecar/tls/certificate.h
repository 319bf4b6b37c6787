/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the certificate of a server expires: reads just so much of the message Certificate of
 * TLS 1.2 (RFC 5246 section 7.4.2) and of the first X.509 certificate in it (RFC 5280 section 4.1)
 * as leads to its notAfter. Verifies nothing.
 */
#ifndef SIDELIGHT_TLS_CERTIFICATE_H
#define SIDELIGHT_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/*
 * body: of the message. Returns false if it has no certificate, or that is not as the RFCs define
 * it. *ret_seconds: since 1970.
 */
bool tls_certificate_expiry(struct span body, int64_t *ret_seconds);

#endif
