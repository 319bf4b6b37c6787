/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tls_watch.h"

#include <string.h>

#include "base/log.h"

_Static_assert(PROGRAMS_CGROUPS_MAX <= SL_WATCHED_MAX, "a slot for each target");

static void add(struct key_probes *probes, uint32_t slot, const struct target *target,
		uint64_t *watched)
{
	int err = key_probes_watch(probes, slot, &target->cgroup);

	if (err)
		log_warn("tls: TLS of new processes of %s may not be decrypted (%s)", target->name,
			 strerror(-err));
	else
		*watched = target->cgroup.id;
}

void tls_watch(struct key_probes *probes, const struct targets *targets,
	       uint64_t watched[PROGRAMS_CGROUPS_MAX])
{
	/* All that have gone first: one of them may have come back in another place. */
	for (uint32_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct target *target = targets->slots[i].target;

		if (!watched[i] || (target && watched[i] == target->cgroup.id))
			continue;
		key_probes_forget(probes, i, watched[i]);
		watched[i] = 0;
	}
	for (uint32_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		if (targets->slots[i].target && !watched[i])
			add(probes, i, targets->slots[i].target, &watched[i]);
}
