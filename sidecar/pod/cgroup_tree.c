/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/cgroup_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEPTH_MAX 32

struct walk {
	size_t left;
	bool is_cut; /* there are more than are visited */
	bool is_too_deep; /* some were left out */
	bool is_done;
	bool (*fn)(void *ctx, const struct cgroup_tree_entry *entry);
	void *ctx;
	char path[PATH_MAX];
};

static bool visit(struct walk *w, const struct cgroup_tree_entry *entry)
{
	if (!w->left) {
		w->is_cut = true;
		return false;
	}
	w->left--;
	w->is_done = w->fn(w->ctx, entry);
	return !w->is_done;
}

/* w->path is that of the directory, len bytes long; it is that again afterwards. */
static void walk_below(struct walk *w, int dir_fd, size_t len, int depth)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		return; /* removed meanwhile */
	}
	while (!w->is_done && !w->is_cut && (entry = readdir(dir))) {
		size_t name_len = strlen(entry->d_name);
		struct cgroup_tree_entry e = {entry->d_ino, dirfd(dir), entry->d_name, w->path};
		scoped_fd int below = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (depth > DEPTH_MAX || len + name_len + 2 > sizeof(w->path)) {
			w->is_too_deep = true;
			continue;
		}
		w->path[len] = '/';
		memcpy(w->path + len + 1, entry->d_name, name_len + 1);
		if (visit(w, &e)) {
			below = openat(dirfd(dir), entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (below >= 0)
				walk_below(w, below, len + 1 + name_len, depth + 1);
		}
		w->path[len] = '\0';
	}
	(void)closedir(dir);
}

int cgroup_tree_each(int dir_fd, const char *path,
		     bool (*fn)(void *ctx, const struct cgroup_tree_entry *entry), void *ctx)
{
	scoped_free struct walk *w = malloc(sizeof(*w));
	struct cgroup_tree_entry top = {.dir_fd = dir_fd, .name = "."};
	struct stat st;

	if (!w)
		return -ENOMEM;
	*w = (struct walk){.left = CGROUP_TREE_MAX, .fn = fn, .ctx = ctx};
	if (fstat(dir_fd, &st))
		return -errno;
	if (strlen(path) >= sizeof(w->path))
		return -ENAMETOOLONG;
	memcpy(w->path, path, strlen(path) + 1);
	top.id = st.st_ino;
	top.path = w->path;
	if (visit(w, &top))
		walk_below(w, dir_fd, strlen(w->path), 0);
	return w->is_cut || w->is_too_deep ? -E2BIG : 0;
}

struct search {
	uint64_t id;
	struct cgroup *ret_cgroup;
	int err;
};

static bool open_if_found(void *ctx, const struct cgroup_tree_entry *entry)
{
	struct search *s = ctx;
	int fd;

	if (entry->id != s->id)
		return false;
	fd = openat(entry->dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->err = fd < 0 ? -errno : cgroup_open_fd(s->ret_cgroup, fd, entry->path);
	return true;
}

int cgroup_tree_open(struct cgroup *ret_cgroup, uint64_t id)
{
	scoped_free struct cgroup_mount *mount = malloc(sizeof(*mount));
	struct search s = {.id = id, .ret_cgroup = ret_cgroup, .err = -ENOENT};
	scoped_fd int top = -1;
	char own[PATH_MAX];
	int err = mount ? cgroup_path_of(0, own, sizeof(own)) : -ENOMEM;

	if (!err)
		err = cgroup_mount_find(mount, NULL, own);
	if (err)
		return err;
	top = open(mount->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	err = cgroup_tree_each(top, mount->path, open_if_found, &s);
	return s.err == -ENOENT && err ? err : s.err;
}
