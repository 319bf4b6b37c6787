/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/uprobe_link.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The members of union bpf_attr for BPF_LINK_CREATE with BPF_TRACE_UPROBE_MULTI. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

int uprobe_link_create(int program_fd, const char *path, pid_t pid, const uint64_t *offsets,
		       const uint64_t *cookies, size_t count)
{
	struct multi_attr attr = {
		.prog_fd = (uint32_t)program_fd,
		.attach_type = UPROBE_LINK_ATTACH_TYPE,
		.path = (uint64_t)(uintptr_t)path,
		.offsets = (uint64_t)(uintptr_t)offsets,
		.cookies = (uint64_t)(uintptr_t)cookies,
		.count = (uint32_t)count,
		.pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/* "/" is no file, which only a kernel notices that has such links. One that keeps them to a whole
 * process refuses a negative pid before that. */
int uprobe_link_support(int program_fd)
{
	uint64_t zero = 0;
	int err = uprobe_link_create(program_fd, "/", 0, &zero, &zero, 1);

	if (err != -EBADF)
		return err == -EPERM ? err : -EOPNOTSUPP;
	return uprobe_link_create(program_fd, "/", -1, &zero, &zero, 1) == -EINVAL
		       ? UPROBE_LINK_OF_PROCESS
		       : UPROBE_LINK_OF_ALL;
}
