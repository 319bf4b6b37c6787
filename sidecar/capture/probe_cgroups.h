/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sidelight doctor` says of the cgroups and processes that are there:
 * which of them it could not watch, or not see all of.
 *
 * Each adds one line without its end: what was found. Returns 0 if there is
 * nothing of the kind, 1 if there is, negative errno if it could not be looked for.
 */
#ifndef SIDELIGHT_CAPTURE_PROBE_CGROUPS_H
#define SIDELIGHT_CAPTURE_PROBE_CGROUPS_H

#include "base/text.h"

/* Cgroups whose hooks are held by programs that share them with nobody (capture/hooks.h). */
int probe_held_hooks(struct text *out);
/* Listeners that belong to another cgroup than the process that has them (pod/sock_diag.h). */
int probe_moved_listeners(struct text *out);

#endif
