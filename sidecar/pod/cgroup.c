/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pod/mountinfo.h"

/* Deeper trees than this below a cgroup that we signal are not followed. */
#define DEPTH_MAX 32

#define OUR_PREFIX "sidelight-run-"

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* A line that is a cgroup2 mount. */
static bool mount_parse(char *line, struct cgroup_mount *m)
{
	struct mount_line found;

	if (!mountinfo_parse(line, &found) || !found.is_cgroup2 ||
	    strlen(found.root) >= sizeof(m->root) || strlen(found.point) >= sizeof(m->path))
		return false;
	memcpy(m->root, found.root, strlen(found.root) + 1);
	memcpy(m->path, found.point, strlen(found.point) + 1);
	return true;
}

int cgroup_mount_find(struct cgroup_mount *ret_mount, const char *mountinfo, const char *own_path)
{
	scoped_file FILE *file = mountinfo ? fmemopen((void *)mountinfo, strlen(mountinfo), "re")
					   : fopen("/proc/self/mountinfo", "re");
	scoped_free struct cgroup_mount *m = malloc(sizeof(*m));
	scoped_free char *line = NULL;
	size_t alloc = 0;
	bool has_one = false;

	if (!file || !m)
		return file ? -ENOMEM : -errno;
	while (getline(&line, &alloc, file) > 0) {
		if (!mount_parse(line, m) || !path_below(own_path, m->root))
			continue;
		/* Another file system may have been mounted over it. */
		if (!mountinfo && !is_cgroup2(m->path))
			continue;
		if (!has_one || strlen(m->root) < strlen(ret_mount->root))
			*ret_mount = *m;
		has_one = true;
	}
	return has_one ? 0 : -ENODEV;
}

int cgroup_path_read(FILE *file, char *ret_path, size_t size)
{
	scoped_free char *line = NULL;
	size_t alloc = 0;
	ssize_t len;

	while ((len = getline(&line, &alloc, file)) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[len - 1] = '\0';
		if ((size_t)len - 3 > size)
			return -ENAMETOOLONG;
		memcpy(ret_path, line + 3, (size_t)len - 3);
		return 0;
	}
	return ferror(file) ? -ESRCH : -ENODEV;
}

int cgroup_path_of(pid_t pid, char *ret_path, size_t size)
{
	scoped_file FILE *file = NULL;
	char name[64];

	(void)snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)(pid ? pid : getpid()));
	file = fopen(name, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	return cgroup_path_read(file, ret_path, size);
}

int cgroup_open(struct cgroup *ret_cgroup, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : cgroup_open_fd(ret_cgroup, fd, path);
}

int cgroup_open_fd(struct cgroup *ret_cgroup, int fd, const char *path)
{
	struct cgroup cg = {.fd = fd};
	struct statfs fs;
	struct stat st;
	int err;

	if (strlen(path) >= sizeof(cg.path)) {
		err = -ENAMETOOLONG;
		goto fail;
	}
	memcpy(cg.path, path, strlen(path) + 1);
	if (fstatfs(cg.fd, &fs) || fstat(cg.fd, &st)) {
		err = -errno;
		goto fail;
	}
	if (fs.f_type != CGROUP2_SUPER_MAGIC) {
		err = -EMEDIUMTYPE;
		goto fail;
	}
	cg.id = st.st_ino;
	/* Only the root has no such file (Documentation/admin-guide/cgroup-v2.rst). */
	cg.is_root = faccessat(cg.fd, "cgroup.events", F_OK, 0) != 0;
	*ret_cgroup = cg;
	return 0;
fail:
	(void)close(cg.fd); /* nothing was written */
	return err;
}

static int join(char *ret_path, size_t size, const char *dir, const char *name)
{
	int n = snprintf(ret_path, size, "%s%s%s", dir, *name ? "/" : "", name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int cgroup_open_pid(struct cgroup *ret_cgroup, pid_t pid)
{
	struct cgroup_mount mount;
	char own[PATH_MAX];
	char path[PATH_MAX];
	char dir[PATH_MAX];
	int err;

	err = cgroup_path_of(pid, path, sizeof(path));
	if (!err)
		err = cgroup_path_of(0, own, sizeof(own));
	if (err)
		return err;
	/* "/../x" is outside our cgroup namespace. */
	if (strncmp(path, "/..", 3) == 0)
		return -EXDEV;
	err = cgroup_mount_find(&mount, NULL, path);
	if (err == -ENODEV && cgroup_mount_find(&mount, NULL, own) == 0)
		return -EXDEV;
	if (!err)
		err = join(dir, sizeof(dir), mount.path, path_below(path, mount.root));
	return err ? err : cgroup_open(ret_cgroup, dir);
}

/* What is written must be taken whole. */
static int write_at(int dir_fd, const char *name, const char *value)
{
	scoped_fd int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(value);

	if (fd < 0)
		return -errno;
	return write(fd, value, len) == (ssize_t)len ? 0 : -errno;
}

static ssize_t read_at(int dir_fd, const char *name, char *buf, size_t size)
{
	scoped_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/* Removes directories of ours that nobody holds locked; rmdir refuses one with processes. */
static void sweep(const char *parent)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd;

		if (strncmp(entry->d_name, OUR_PREFIX, strlen(OUR_PREFIX)) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR); /* if empty */
		(void)close(fd);
	}
	if (dir)
		(void)closedir(dir);
}

/* The lock tells sweep() that it is in use. Fails with -ENOENT if a sweep came first. */
static int claim(struct cgroup *ret_cgroup, const char *path)
{
	char type[32];
	int err = cgroup_open(ret_cgroup, path);
	ssize_t n;

	if (err)
		return err;
	ret_cgroup->is_ours = true;
	if (flock(ret_cgroup->fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -ENOENT : -errno;
	} else {
		/* "domain invalid" below a threaded cgroup: takes no processes. */
		n = read_at(ret_cgroup->fd, "cgroup.type", type, sizeof(type));
		err = n < 0 ? (int)n : strcmp(type, "domain\n") ? -EOPNOTSUPP : 0;
	}
	if (err)
		cgroup_close(ret_cgroup);
	return err;
}

static int create_below(struct cgroup *ret_cgroup, const char *parent)
{
	char path[PATH_MAX];
	char name[64];
	int err = -EEXIST;

	sweep(parent);
	for (int i = 0; i < 100 && (err == -EEXIST || err == -ENOENT); i++) {
		(void)snprintf(name, sizeof(name), OUR_PREFIX "%d-%d", (int)getpid(), i);
		err = join(path, sizeof(path), parent, name);
		if (!err)
			err = mkdir(path, 0755) ? -errno : claim(ret_cgroup, path);
	}
	return err;
}

int cgroup_create(struct cgroup *ret_cgroup)
{
	struct cgroup_mount mount;
	char own[PATH_MAX];
	char parent[PATH_MAX];
	int err;

	*ret_cgroup = (struct cgroup){.fd = -1};
	err = cgroup_path_of(0, own, sizeof(own));
	if (!err)
		err = cgroup_mount_find(&mount, NULL, own);
	if (!err)
		err = join(parent, sizeof(parent), mount.path, path_below(own, mount.root));
	if (err)
		return err;
	err = create_below(ret_cgroup, parent);
	if (err && strcmp(parent, mount.path) != 0) {
		memcpy(parent, mount.path, sizeof(parent));
		err = create_below(ret_cgroup, parent);
	}
	if (err)
		memcpy(ret_cgroup->path, parent, sizeof(parent));
	return err;
}

void cgroup_close(struct cgroup *cg)
{
	if (cg->fd < 0)
		return;
	(void)close(cg->fd); /* nothing was written */
	cg->fd = -1;
	if (cg->is_ours)
		(void)rmdir(cg->path); /* refused while processes live on in it: they may */
}

int cgroup_add(const struct cgroup *cg, pid_t pid)
{
	char value[16];

	(void)snprintf(value, sizeof(value), "%d", (int)pid);
	return write_at(cg->fd, "cgroup.procs", value);
}

/* cgroup.events: "populated 1\nfrozen 0\n"; the root has none and is never empty. */
static int events_read(int fd)
{
	char buf[256];
	const char *at;
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	at = strstr(buf, "populated ");
	return at ? at[10] == '1' : -EINVAL;
}

int cgroup_events_open(const struct cgroup *cg)
{
	int fd = openat(cg->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cgroup_events_read(int fd)
{
	return events_read(fd);
}

int cgroup_is_populated(const struct cgroup *cg)
{
	scoped_fd int fd = -1;

	if (cg->is_root)
		return 1;
	fd = cgroup_events_open(cg);
	return fd < 0 ? fd : events_read(fd);
}

static int each_here(int dir_fd, int (*fn)(void *ctx, pid_t pid), void *ctx)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	scoped_file FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int sum = 0;
	int pid;

	if (!file) {
		int err = -errno;

		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		return err;
	}
	/* 0 is a process of a PID namespace that we do not see. */
	while (fscanf(file, "%d", &pid) == 1)
		if (pid > 0)
			sum += fn(ctx, pid);
	return sum;
}

static int each_below(int dir_fd, int (*fn)(void *ctx, pid_t pid), void *ctx, int depth)
{
	int sum = each_here(dir_fd, fn, ctx);
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		return sum;
	}
	while (sum >= 0 && depth < DEPTH_MAX && (entry = readdir(dir))) {
		int below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue; /* removed meanwhile */
		below = each_below(fd, fn, ctx, depth + 1);
		(void)close(fd); /* nothing was written */
		sum += below > 0 ? below : 0;
	}
	(void)closedir(dir);
	return sum;
}

int cgroup_each(const struct cgroup *cg, int (*fn)(void *ctx, pid_t pid), void *ctx)
{
	return each_below(cg->fd, fn, ctx, 0);
}

static int send_signal(void *ctx, pid_t pid)
{
	return kill(pid, *(const int *)ctx) == 0;
}

int cgroup_signal(const struct cgroup *cg, int signo)
{
	return cgroup_each(cg, send_signal, &signo);
}

int cgroup_kill(const struct cgroup *cg)
{
	/* cgroup.kill came with 5.14; before it, freeze so that nothing multiplies. */
	int err = write_at(cg->fd, "cgroup.kill", "1");

	if (err != -ENOENT)
		return err;
	(void)write_at(cg->fd, "cgroup.freeze", "1"); /* 5.2; without it a fork may slip through */
	err = cgroup_signal(cg, SIGKILL);
	(void)write_at(cg->fd, "cgroup.freeze", "0");
	return err < 0 ? err : 0;
}
