/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/pid_namespace.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* PROC_PID_INIT_INO of include/linux/proc_ns.h: fixed since 3.8. */
#define INITIAL_INO UINT64_C(0xEFFFFFFC)

int pid_namespace_read(struct pid_namespace *ret)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	/* The kernel's internal dev_t (include/linux/kdev_t.h), which differs from stat(2)'s. */
	ret->dev = (uint64_t)major(ns.st_dev) << 20 | minor(ns.st_dev);
	ret->ino = ns.st_ino;
	ret->is_initial = ns.st_ino == INITIAL_INO;
	return 0;
}
