/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight-webhook certs`: a certificate for clusters without cert-manager,
 * printed as the Secret that the server mounts, or written to a directory.
 */
#ifndef SIDELIGHT_WEBHOOK_CERTS_H
#define SIDELIGHT_WEBHOOK_CERTS_H

#include "webhook/flags.h"

/*
 * Prints a Secret of type kubernetes.io/tls with ca.crt, tls.crt and tls.key, as
 * YAML; its ca.crt is what caBundle must be, and a comment says so too. With --dir it
 * writes files of these names instead (PEM; the key is readable by the owner only).
 * Returns the exit status.
 */
int certs_command(const struct flags *f);

#endif
