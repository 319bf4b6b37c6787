/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of `sidelight doctor` about existing cgroups and processes: which of them can't be
 * observed completely.
 *
 * Each check appends one line without line end: its finding. Returns 0 if there is no finding, 1 if
 * there is one, negative errno if the check failed.
 */
#ifndef SIDELIGHT_CAPTURE_PROBE_CGROUPS_H
#define SIDELIGHT_CAPTURE_PROBE_CGROUPS_H

#include "base/text.h"

/* Cgroups with a hook whose program accepts no others (capture/hooks.h). */
int probe_held_hooks(struct text *out);
/* Listeners that belong to another cgroup than their process (pod/sock_diag.h). */
int probe_moved_listeners(struct text *out);

#endif
