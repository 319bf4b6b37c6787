/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links of uprobes by BPF_LINK_CREATE with BPF_TRACE_UPROBE_MULTI (6.6), which is younger than
 * libbpf 1.1 and its headers. Need CAP_BPF and CAP_PERFMON.
 */
#ifndef SIDELIGHT_CAPTURE_UPROBE_LINK_H
#define SIDELIGHT_CAPTURE_UPROBE_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* enum bpf_attach_type */
#define UPROBE_LINK_ATTACH_TYPE 48

/*
 * Attaches a program to offsets of the file at path, in process pid: also where it is mapped later.
 * pid 0: in all processes. cookies: one for each. Returns the link's descriptor, or negative errno.
 */
int uprobe_link_create(int program_fd, const char *path, pid_t pid, const uint64_t *offsets,
		       const uint64_t *cookies, size_t count);

enum uprobe_link_support {
	UPROBE_LINK_OF_PROCESS, /* 6.10, commit 46ba0e49b642 */
	/* One that is kept to a process misses all threads but one (6.6 to 6.9). */
	UPROBE_LINK_OF_ALL,
};

/* What this kernel has, tried with a loaded program. Returns that, -EOPNOTSUPP: nothing, or
 * -EPERM. */
int uprobe_link_support(int program_fd);

#endif
