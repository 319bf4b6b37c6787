/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "pod/process.h"

#define NO_CGROUP2                                                                                 \
	"no cgroup v2 file system is mounted here; mount one (mount -t cgroup2 none DIR) and try " \
	"again"

/* The last part of a path, as a label can have it. */
static void set_name(struct target *t, const char *path)
{
	char last[PATH_MAX];
	size_t len = strlen(path);
	const char *from;

	while (len > 1 && path[len - 1] == '/')
		len--;
	from = memrchr(path, '/', len - (len > 0));
	from = from ? from + 1 : path;
	(void)snprintf(last, sizeof(last), "%.*s", (int)(path + len - from),
		       from); /* longer is cut */
	identity_clean(t->name, last);
}

int target_create(struct target *t, const char *program)
{
	int err;

	*t = (struct target){.cgroup.fd = -1};
	set_name(t, program);
	err = cgroup_create(&t->cgroup);
	if (err == -ENODEV)
		log_error(NO_CGROUP2);
	else if (err)
		log_error("cannot make a cgroup below %s (%s); run it as root, with the "
			  "cgroup file system writable",
			  t->cgroup.path, strerror(-err));
	return err;
}

int target_open_pid(struct target *t, pid_t pid)
{
	int err;

	*t = (struct target){.cgroup.fd = -1};
	err = cgroup_open_pid(&t->cgroup, pid);
	if (err == -EXDEV)
		err = process_open_cgroup_of(pid, &t->cgroup);
	if (err == -ESRCH) {
		log_error("--pid: there is no process %d", (int)pid);
	} else if (err == -ENODEV) {
		log_error(NO_CGROUP2);
	} else if (err == -EXDEV) {
		log_error("--pid: the cgroup of process %d is not below any that is mounted "
			  "here; start sidelight in the same container or outside of any",
			  (int)pid);
	} else if (err == -EACCES || err == -EPERM) {
		log_error("--pid: not allowed to reach the cgroup of process %d; "
			  "CAP_SYS_PTRACE is what it takes",
			  (int)pid);
	} else if (err) {
		log_error("--pid: cannot open the cgroup of process %d (%s)", (int)pid,
			  strerror(-err));
	} else if (t->cgroup.is_root) {
		log_error("--pid: process %d is in the root cgroup, with everything else; "
			  "start it in one of its own: sidelight run -- CMD, or mkdir %s/app; "
			  "echo $$ > %s/app/cgroup.procs in the shell that starts it (sockets that "
			  "it has stay in the root cgroup, also if it is moved); or watch the "
			  "whole machine: --cgroup %s",
			  (int)pid, t->cgroup.path, t->cgroup.path, t->cgroup.path);
		target_close(t);
		err = -EPERM;
	}
	if (err)
		return err;
	set_name(t, t->cgroup.path);
	return 0;
}

int target_open_dir(struct target *t, const char *dir)
{
	int err;

	*t = (struct target){.cgroup.fd = -1};
	err = cgroup_open(&t->cgroup, dir);
	if (err == -EMEDIUMTYPE)
		log_error("--cgroup: %s is not on a cgroup v2 file system; \"grep cgroup2 "
			  "/proc/mounts\" shows where that is",
			  dir);
	else if (err)
		log_error("--cgroup: cannot open %s (%s)", dir, strerror(-err));
	else
		set_name(t, dir);
	return err;
}

/* Keeps the lowest pid, which is usually that of the process which started the others. */
static int note_first(void *ctx, pid_t pid)
{
	pid_t *first = ctx;

	if (*first == 0 || pid < *first)
		*first = pid;
	return 1;
}

pid_t target_first_process(const struct target *t)
{
	pid_t first = 0;

	(void)cgroup_each(&t->cgroup, note_first, &first); /* if it fails, none is found */
	return first;
}

void target_announce(const struct target *t)
{
	char since[] = "00:00:00";
	char name[PROCESS_COMM_MAX];
	time_t now = time(NULL);
	struct tm tm;
	pid_t first = 0;
	int count = cgroup_each(&t->cgroup, note_first, &first);

	if (localtime_r(&now, &tm))
		(void)strftime(since, sizeof(since), "%H:%M:%S", &tm); /* it has this length */
	if (count <= 0) {
		log_info("run: watching cgroup %s since %s; no process is in it yet",
			 t->cgroup.path, since);
		return;
	}
	process_shown_comm(first, name);
	if (count == 1)
		log_info("run: watching cgroup %s since %s: process %d (%s)", t->cgroup.path, since,
			 (int)first, name);
	else
		log_info("run: watching cgroup %s since %s: process %d (%s) and %d more",
			 t->cgroup.path, since, (int)first, name, count - 1);
}

void target_close(struct target *t)
{
	cgroup_close(&t->cgroup);
}
