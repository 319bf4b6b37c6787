/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files this process can still open, by Landlock (kernel 5.13,
 * Documentation/userspace-api/landlock.rst). It also keeps the process from
 * tracing others, and so from their memory and environment in /proc.
 */
#ifndef SIDELIGHT_POD_LANDLOCK_H
#define SIDELIGHT_POD_LANDLOCK_H

#include <stddef.h>

/*
 * From now on only the directories of these files, and what resolving names,
 * certificates and metrics about ourselves need, can be read; nothing can be
 * written. NULL among the files is ignored. no_new_privs must be set. Returns
 * 0, also where the kernel has no Landlock; or negative errno.
 */
int landlock_enter(const char *const *files, size_t count);

/* The version of the kernel's interface; 0: it has none. */
int landlock_version(void);

#endif
