/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of `sidelight doctor` about the processes that would be watched: can their TLS be decrypted,
 * and if not, why? These are the processes of --pid or --cgroup, in a Pod those of its containers.
 */
#ifndef SIDELIGHT_CMD_DOCTOR_TLS_H
#define SIDELIGHT_CMD_DOCTOR_TLS_H

#include <stddef.h>

#include "capture/probe.h"
#include "cmd/options.h"

#define DOCTOR_TLS_MAX 65 /* processes, and a row for those that are left out */

struct doctor_tls {
	size_t count;
	struct probe probes[DOCTOR_TLS_MAX];
	char names[DOCTOR_TLS_MAX][40]; /* of the probes */
};

/* Returns 0, or negative errno after one log line: there is no such process or cgroup. */
int doctor_tls_fill(struct doctor_tls *d, const struct options *o);

#endif
