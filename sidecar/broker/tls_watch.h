/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroups of all targets, as the programs in the kernel know them that report new processes and
 * copy secrets (capture/key_probes.h).
 */
#ifndef SIDELIGHT_BROKER_TLS_WATCH_H
#define SIDELIGHT_BROKER_TLS_WATCH_H

#include <stdint.h>

#include "broker/targets.h"
#include "capture/key_probes.h"

/*
 * After a change of the targets. watched: ids of the cgroups that are known, by position in the set
 * of targets; 0: none. What fails is logged, and tried again with the next change.
 */
void tls_watch(struct key_probes *probes, const struct targets *targets,
	       uint64_t watched[PROGRAMS_CGROUPS_MAX]);

#endif
