/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "pod/landlock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* By name, since architectures differ: those that do not exist on one are left out there. */
static const char *const allowed[] = {
	/* the event loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"eventfd2",
	"pipe2",
	"timerfd_settime",
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"close",
	"dup",
	"dup3",
	"restart_syscall",
	/* connections */
	"accept",
	"accept4",
	"bind",
	"connect",
	"listen",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"shutdown",
	/* files that are read again: openat() has a rule of its own */
	"fstat",
	"fstat64",
	"newfstatat",
	"fstatat64",
	"stat",
	"lstat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"lseek",
	"_llseek",
	"getdents64",
	"readlink",
	"readlinkat",
	"getcwd",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	/* memory: what may become executable has a rule of its own */
	"brk",
	"munmap",
	"mremap",
	"madvise",
	/* threads of the resolver, and time */
	"futex",
	"futex_time64",
	"set_robust_list",
	"rseq",
	"membarrier",
	"sched_yield",
	"sched_getaffinity",
	"getcpu",
	"gettid",
	"getpid",
	"getppid",
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	/* signals and the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"exit",
	"exit_group",
	/* about itself */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getrusage",
	"getrandom",
	"uname",
	"sysinfo",
};

/* Nothing that we link calls them: who does is not us any more. */
static const char *const fatal[] = {
	"execve",
	"execveat",
	"fork",
	"vfork",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_open",
	"pidfd_getfd",
	"bpf",
	"perf_event_open",
	"mount",
	"umount2",
	"move_mount",
	"fsopen",
	"open_tree",
	"pivot_root",
	"chroot",
	"setns",
	"unshare",
	"open_by_handle_at",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"keyctl",
	"add_key",
	"request_key",
	"userfaultfd",
	"setuid",
	"setgid",
	"setreuid",
	"setresuid",
	"setresgid",
	"setgroups",
	"capset",
	"personality",
	"reboot",
	"swapon",
	"acct",
	"quotactl",
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		int err;

		if (number == __NR_SCMP_ERROR)
			continue; /* younger than the library */
		err = seccomp_rule_add(filter, action, number, 0);
		if (err && err != -EDOM) /* -EDOM: not on this architecture */
			return err;
	}
	return 0;
}

static int allow_if(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, condition);
}

/*
 * Commands about descriptors, but none that has the kernel send signals:
 * F_SETOWN takes any process, and root's word (sigio_perm()).
 */
static int add_fcntl(scmp_filter_ctx filter)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL};
	static const char *const names[] = {"fcntl", "fcntl64"};
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(names); i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		for (size_t k = 0; !err && k < COUNT(commands); k++)
			err = allow_if(filter, number,
				       SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[k]));
		if (!err)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 2,
					       SCMP_A1(SCMP_CMP_EQ, F_SETFL),
					       SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
		if (err == -EDOM)
			err = 0; /* not on this architecture */
	}
	return err;
}

/* Calls of which not every form is allowed. */
static int add_conditions(scmp_filter_ctx filter)
{
	static const int domains[] = {AF_INET, AF_INET6, AF_NETLINK};
	static const unsigned requests[] = {FIONBIO,
					    FIONREAD,
					    FIOCLEX,
					    SIOCOUTQ,
					    SIOCGIFINDEX /* addresses with a zone */,
					    TCGETS /* isatty() */,
					    TIOCGWINSZ /* terminal_columns() */};
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(domains); i++)
		err = allow_if(filter, SCMP_SYS(socket),
			       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domains[i]));
	if (!err) /* by which libcurl's threads say that a name is resolved */
		err = allow_if(filter, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (!err)
		err = add_fcntl(filter);
	for (size_t i = 0; !err && i < COUNT(requests); i++)
		err = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, requests[i]));
	if (!err)
		err = allow_if(filter, SCMP_SYS(openat),
			       SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	if (!err)
		err = allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = allow_if(filter, SCMP_SYS(mprotect),
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* A thread, not a process. clone3() hides its flags in memory: glibc does without. */
	if (!err)
		err = allow_if(filter, SCMP_SYS(clone),
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!err) /* abort() */
		err = allow_if(filter, SCMP_SYS(tgkill),
			       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	/* Limits are asked for when a thread is made, and not set. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
				       SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	if (!err)
		err = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	return err;
}

int sandbox_begin(void)
{
	scmp_filter_ctx filter;
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return -ENOMEM;
	err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	err = add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (!err)
		err = add_all(filter, SCMP_ACT_KILL_PROCESS, fatal, COUNT(fatal));
	if (!err)
		err = add_conditions(filter);
	if (!err) /* by a tree: some ten comparisons a call instead of a hundred */
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* Of this process, and of whatever it might be made to execute. */
static int drop_capabilities(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
	/* Takes CAP_SETPCAP; without it no_new_privs alone makes the set useless. */
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		(void)cap_drop_bound(c);
	(void)cap_reset_ambient(); /* older than 4.3: there are none */
	if (cap_set_proc(none))
		err = -errno;
	(void)cap_free(none);
	return err;
}

int sandbox_enter(const char *const *files, size_t count)
{
	const char *what = "capabilities";
	int err = drop_capabilities();

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail with these arguments */
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err) {
		what = "files";
		err = landlock_enter(files, count);
	}
	if (!err) {
		what = "system calls";
		err = filter_calls();
	}
	if (err)
		log_error("run: cannot give up %s (%s)", what, strerror(-err));
	return err;
}
