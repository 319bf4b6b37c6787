/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight doctor`: what this kernel and these capabilities allow, and what
 * each missing thing disables.
 *
 *     CHECK                    STATE    FOUND                    WITHOUT IT, NO
 *     cgroup2 mount            yes      /sys/fs/cgroup
 *     CAP_BPF                  MISSING  not held; run as root  watching
 *     thread in cgroup_skb     no       not in this kernel       the thread ...
 *
 * MISSING in capitals is what `run` cannot do without. Rows about processes follow (doctor_tls.h).
 */
#ifndef SIDELIGHT_CMD_DOCTOR_H
#define SIDELIGHT_CMD_DOCTOR_H

#include <stdio.h>

#include "cmd/options.h"

/* Returns 0 if `run` can work, 1 if something that it needs is missing, negative errno if the
 * result could not be written, or after one log line. */
int doctor_print(FILE *out, const struct options *o);

#endif
