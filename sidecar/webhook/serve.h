/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight-webhook serve`: the admission server.
 *
 * The certificate's files are looked at every few seconds and read again when
 * they have changed. On SIGTERM it is not ready any more, but goes on to serve
 * for --drain seconds, because the API servers learn of it later; every answer
 * is then the last on its connection. A second signal ends it at once.
 */
#ifndef SIDELIGHT_WEBHOOK_SERVE_H
#define SIDELIGHT_WEBHOOK_SERVE_H

#include "webhook/flags.h"

/* Returns the exit status. */
int serve_command(const struct flags *f);

#endif
