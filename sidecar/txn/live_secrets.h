/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of TLS that come while connections wait for them: see engine_add_secret(). */
#ifndef SIDELIGHT_TXN_LIVE_SECRETS_H
#define SIDELIGHT_TXN_LIVE_SECRETS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "tls/stream.h"

void live_secrets_add(struct tls_env *env, const struct sl_secret *secret);
/* Connections for which secrets were added go on. Returns false if some were left out, since they
 * had too many to try: for another round. */
bool live_secrets_resume(struct tls_env *env, uint64_t time_ns);
/* Returns how many connections were given up. */
unsigned live_secrets_expire(struct tls_env *env, uint64_t time_ns);

#endif
