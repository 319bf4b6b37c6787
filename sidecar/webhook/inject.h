/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight-webhook inject`: the same injection on a manifest, for those who
 * have no webhook, and to see what it would do.
 */
#ifndef SIDELIGHT_WEBHOOK_INJECT_H
#define SIDELIGHT_WEBHOOK_INJECT_H

#include "webhook/flags.h"

/*
 * Reads a Pod or workload as JSON, a List, or several JSON texts, and prints them with sidelight in
 * them; warnings go to standard error. No annotation is needed; inject: "false" is
 * respected. Returns the exit status: 1 if it cannot be injected, 2 for bad input.
 */
int inject_command(const struct flags *f);

#endif
