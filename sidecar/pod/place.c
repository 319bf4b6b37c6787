/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "pod/cgroup.h"
#include "pod/process.h"

/* PROC_PID_INIT_INO of include/linux/proc_ns.h, part of the kernel's ABI since 6.18
 * (include/uapi/linux/nsfs.h) and the same since 3.8. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu

void place_read(struct place_facts *f)
{
	scoped_file FILE *map = fopen("/proc/self/uid_map", "re");
	struct cgroup_mount *mount = malloc(sizeof(*mount));
	struct stat ns;

	*f = (struct place_facts){0};
	if (map && !fgets(f->uid_map, sizeof(f->uid_map), map))
		f->uid_map[0] = '\0';
	if (cgroup_path_of(0, f->own, sizeof(f->own)))
		f->own[0] = '\0';
	if (cgroup_path_of(1, f->first, sizeof(f->first)))
		f->first[0] = '\0';
	f->has_mount = mount && f->own[0] && cgroup_mount_find(mount, NULL, f->own) == 0;
	f->is_first_pid_namespace =
		stat("/proc/self/ns/pid", &ns) == 0 && ns.st_ino == FIRST_PID_NAMESPACE;
	f->is_kubernetes = getenv("KUBERNETES_SERVICE_HOST") || getenv("SIDELIGHT_POD");
	free(mount);
}

enum place place_of(const struct place_facts *f)
{
	unsigned long inside = 0;
	unsigned long outside = 0;
	unsigned long count = 0;

	if (sscanf(f->uid_map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	    (inside != 0 || outside != 0 || count != 4294967295))
		return PLACE_USER_NAMESPACE;
	if (!f->own[0] || !f->has_mount)
		return PLACE_CGROUP1;
	if (f->is_first_pid_namespace)
		return f->is_kubernetes ? PLACE_HOST_PID : PLACE_HOST;
	if (process_is_far(f->first))
		return PLACE_HOST_PID;
	return !f->first[0] || process_is_own(f->first, f->own) ? PLACE_ALONE : PLACE_POD;
}

int place_check(void)
{
	static const char *const lines[] = {
		[PLACE_USER_NAMESPACE] =
			"this is a user namespace (hostUsers: false), where the kernel refuses "
			"BPF; remove hostUsers: false from the Pod",
		[PLACE_CGROUP1] = "there is no cgroup v2 here; sidelight needs nodes that run "
				  "cgroup v2 (\"stat -fc %T /sys/fs/cgroup\" says cgroup2fs)",
		[PLACE_HOST_PID] =
			"this Pod sees the processes of the whole node (hostPID: true); remove "
			"that and set shareProcessNamespace: true instead",
		[PLACE_ALONE] = "only this container's own processes are to be seen; set "
				"shareProcessNamespace: true in the Pod, or start a program with "
				"\"sidelight run -- CMD ARG...\"",
		[PLACE_HOST] = "nothing to watch; start a program with \"sidelight run -- CMD "
			       "ARG...\", or join one with --pid N or --cgroup DIR",
	};
	struct place_facts *f = malloc(sizeof(*f));
	enum place place;

	if (!f) {
		log_error("out of memory");
		return -ENOTSUP;
	}
	place_read(f);
	place = place_of(f);
	free(f);
	if (place == PLACE_POD)
		return 0;
	log_error("%s", lines[place]);
	return -ENOTSUP;
}
