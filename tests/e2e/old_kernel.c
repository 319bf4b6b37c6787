/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD: answers to bpf() as those of older kernels, in what concerns
 * uprobe_multi. $OLD_KERNEL:
 *
 *   none    before 6.6: there are no such links
 *   of-all  6.6 to 6.9: a negative pid is not looked at before the path is,
 *           and a link that is kept to a process is none to rely on: refused
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS    6
#define UPROBE_MULTI 48 /* enum bpf_attach_type */

struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t pointers[4];
	uint32_t count;
	uint32_t multi_flags;
	int32_t pid;
};

/* 0: what the kernel itself says. */
static int refusal(const struct multi_attr *attr)
{
	const char *kernel = getenv("OLD_KERNEL");

	if (!kernel || attr->attach_type != UPROBE_MULTI)
		return 0;
	if (strcmp(kernel, "none") == 0)
		return EINVAL;
	if (attr->pid < 0)
		return EBADF;
	return attr->pid > 0 ? ENOTSUP : 0;
}

long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[ARGUMENTS];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < ARGUMENTS; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && a[0] == BPF_LINK_CREATE &&
	    a[2] >= (long)sizeof(struct multi_attr)) {
		errno = refusal((const struct multi_attr *)a[1]);
		if (errno)
			return -1;
	}
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
