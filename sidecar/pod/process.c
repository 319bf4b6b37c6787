/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pod/mountinfo.h"

/* A container that mounts more than this has its name and cgroup among the first. */
#define MOUNTS_MAX 4096

/* Kernel 5.8 names both; older headers do not. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u
#endif

int process_open(struct process *ret_process, pid_t pid)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/%d", (int)pid);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_process = (struct process){pid, fd};
	return 0;
}

void process_close(struct process *p)
{
	if (p->dir_fd >= 0)
		(void)close(p->dir_fd); /* nothing was written */
	p->dir_fd = -1;
}

static FILE *open_file(const struct process *p, const char *name)
{
	int fd = openat(p->dir_fd, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		(void)close(fd); /* nothing was written */
	return file;
}

int process_cgroup(const struct process *p, char *ret_path, size_t size)
{
	scoped_file FILE *file = open_file(p, "cgroup");

	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	return cgroup_path_read(file, ret_path, size);
}

static ssize_t read_start(const struct process *p, const char *name, char *buf, size_t size)
{
	scoped_fd int fd = openat(p->dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	buf[n] = '\0';
	return n;
}

int process_comm(const struct process *p, char *ret_comm, size_t size)
{
	ssize_t n = read_start(p, "comm", ret_comm, size);

	if (n < 0)
		return (int)n;
	if (n > 0 && ret_comm[n - 1] == '\n')
		ret_comm[n - 1] = '\0';
	return 0;
}

void process_shown_comm_of(const struct process *p, char ret_comm[PROCESS_COMM_MAX])
{
	if (process_comm(p, ret_comm, PROCESS_COMM_MAX))
		ret_comm[0] = '\0';
	/* Chosen by the program: nothing for a terminal. */
	for (char *at = ret_comm; *at; at++)
		*at = *at < ' ' || *at > '~' ? '?' : *at;
}

void process_shown_comm(pid_t pid, char ret_comm[PROCESS_COMM_MAX])
{
	struct process p = {.dir_fd = -1};

	ret_comm[0] = '\0';
	if (process_open(&p, pid) == 0) {
		process_shown_comm_of(&p, ret_comm);
		process_close(&p);
	}
	if (!ret_comm[0])
		(void)snprintf(ret_comm, PROCESS_COMM_MAX, "?"); /* has room for it */
}

/* Field 22 of stat; the second, in parentheses, may hold anything (proc(5)). */
int process_started(const struct process *p, uint64_t *ret_ticks)
{
	char buf[512];
	ssize_t n = read_start(p, "stat", buf, sizeof(buf));
	const char *at = n < 0 ? NULL : strrchr(buf, ')');

	if (n < 0)
		return (int)n;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EINVAL;
	*ret_ticks = strtoull(at + 1, NULL, 10);
	return 0;
}

bool process_is_own(const char *path, const char *own)
{
	/* With a cgroup namespace we are "/", and all that is outside begins with "/..". */
	if (strcmp(own, "/") == 0)
		return strcmp(path, "/..") != 0 && strncmp(path, "/../", 4) != 0;
	return path_below(path, own) != NULL;
}

bool process_is_above(const char *path, const char *own)
{
	if (strcmp(own, "/") != 0)
		return path_below(own, path) != NULL;
	while (strncmp(path, "/..", 3) == 0 && (path[3] == '/' || !path[3]))
		path += 3;
	return !*path || strcmp(path, "/") == 0;
}

bool process_is_far(const char *path)
{
	int ups = 0;

	for (; strncmp(path, "/..", 3) == 0 && (path[3] == '/' || !path[3]); path += 3)
		ups++;
	return ups > 2;
}

/* len bytes of a name that the kubelet may have given. */
static bool is_name(const char *name, size_t len)
{
	return len > 0 && len < PROCESS_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len && name[0] != '-' &&
	       name[len - 1] != '-';
}

/*
 * ".../pods/<uid>/containers/<name>/<hash>", matched from its end; pods_dir is
 * what its beginning must be, or NULL. False: it is no such path.
 */
static bool read_kubelet(const char *root, const char *pods_dir, struct process_home *home)
{
	const char *end = root + strlen(root);
	const char *part[5]; /* from the last: hash, name, "containers", uid, "pods" */
	size_t len[5];

	for (int i = 0; i < 5; i++) {
		const char *slash = memrchr(root, '/', (size_t)(end - root));

		if (!slash)
			return false;
		part[i] = slash + 1;
		len[i] = (size_t)(end - part[i]);
		end = slash;
	}
	if (len[4] != 4 || memcmp(part[4], "pods", 4) != 0 || len[2] != 10 ||
	    memcmp(part[2], "containers", 10) != 0 || len[0] != 8 ||
	    strspn(part[0], "0123456789abcdef") != 8 || !is_name(part[1], len[1]) ||
	    !is_name(part[3], len[3]) || strlen(root) >= sizeof(home->pods_dir))
		return false;
	end = part[4] + len[4];
	if (pods_dir &&
	    (strncmp(root, pods_dir, (size_t)(end - root)) != 0 || pods_dir[end - root]))
		return false;
	memcpy(home->container, part[1], len[1]);
	home->container[len[1]] = '\0';
	memcpy(home->pod_uid, part[3], len[3]);
	home->pod_uid[len[3]] = '\0';
	memcpy(home->pods_dir, root, (size_t)(end - root));
	home->pods_dir[end - root] = '\0';
	return true;
}

/*
 * Takes the container's name from a mount, if it is the kubelet's file. The
 * one at the usual place counts more than any other.
 */
static void read_name(const struct mount_line *m, const char *pods_dir, struct process_home *home)
{
	bool is_usual = strcmp(m->point, "/dev/termination-log") == 0;

	if (is_usual || !home->container[0])
		(void)read_kubelet(m->root, is_usual ? NULL : pods_dir, home);
}

/* As no kernel writes a path; then a comparison says nothing. */
static bool has_empty_part(const char *path)
{
	return !*path || path[strlen(path) - 1] == '/' || strstr(path, "//");
}

int process_home_read(FILE *mountinfo, const char *cgroup, const char *own, const char *pods_dir,
		      struct process_home *ret_home)
{
	scoped_free struct process_home *home = calloc(1, sizeof(*home));
	scoped_free char *line = NULL;
	struct mount_line m;
	size_t alloc = 0;

	if (!home)
		return -ENOMEM;
	for (int i = 0; i < MOUNTS_MAX && getline(&line, &alloc, mountinfo) > 0; i++) {
		if (!mountinfo_parse(line, &m))
			continue;
		read_name(&m, pods_dir, home);
		/* A privileged container may see the node's: that would watch every Pod. */
		if (home->mount_id || !m.is_cgroup2 || has_empty_part(m.root) ||
		    !path_below(cgroup, m.root) || process_is_own(m.root, own) ||
		    process_is_above(m.root, own) || strlen(m.root) >= sizeof(home->cgroup) ||
		    strlen(m.point) >= sizeof(home->mount_point))
			continue;
		home->mount_id = m.id;
		memcpy(home->cgroup, m.root, strlen(m.root) + 1);
		memcpy(home->mount_point, m.point, strlen(m.point) + 1);
	}
	if (ferror(mountinfo))
		return -ESRCH;
	*ret_home = *home;
	return 0;
}

int process_home(const struct process *p, const char *cgroup, const char *own, const char *pods_dir,
		 struct process_home *ret_home)
{
	scoped_file FILE *file = open_file(p, "mountinfo");

	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	return process_home_read(file, cgroup, own, pods_dir, ret_home);
}

/* 0 if the file is in that mount, and not below something mounted over it. */
static int check_mount(int fd, int mount_id)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st))
		return -errno;
	return st.stx_mask & STATX_MNT_ID && st.stx_mnt_id == (uint64_t)mount_id ? 0 : -EXDEV;
}

int process_open_cgroup(const struct process *p, const struct process_home *home,
			struct cgroup *ret_cgroup)
{
	/* Its links are the container's: they lead nowhere but into its own root. */
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	scoped_fd int root = openat(p->dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;
	int err;

	if (root < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (!home->mount_id)
		return -EXDEV;
	fd = (int)syscall(SYS_openat2, root, home->mount_point, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	err = check_mount(fd, home->mount_id);
	if (err) {
		(void)close(fd); /* nothing was written */
		return err;
	}
	return cgroup_open_fd(ret_cgroup, fd, home->cgroup);
}

int process_open_cgroup_of(pid_t pid, struct cgroup *ret_cgroup)
{
	scoped_free struct process_home *home = calloc(1, sizeof(*home));
	struct process p = {.dir_fd = -1};
	char own[PATH_MAX];
	char path[PATH_MAX];
	int err = home ? cgroup_path_of(0, own, sizeof(own)) : -ENOMEM;

	if (!err)
		err = process_open(&p, pid);
	if (err)
		return err;
	err = process_cgroup(&p, path, sizeof(path));
	if (!err)
		err = process_home(&p, path, own, "", home);
	if (!err)
		err = process_open_cgroup(&p, home, ret_cgroup);
	process_close(&p);
	return err;
}

void process_container_id(const char *cgroup, char ret_id[PROCESS_ID_MAX])
{
	const char *last = strrchr(cgroup, '/');
	const char *found = NULL;

	for (const char *at = cgroup; *at;) {
		size_t n = strspn(at, "0123456789abcdef");

		if (n == 64)
			found = at;
		at += n ? n : 1;
	}
	last = last ? last + 1 : cgroup;
	(void)snprintf(ret_id, PROCESS_ID_MAX, "%.64s", found ? found : last); /* cut */
}
