/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/mapped_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINES_MAX 65536
#define DELETED	  " (deleted)"

/* "7f12a000-7f12b000 r-xp 00001000 08:01 4711    /usr/lib/libssl.so.3" */
static bool parse(char *line, struct mapped_file *ret_file)
{
	unsigned major;
	unsigned minor;
	char permissions[5];
	int path_at = 0;
	size_t len;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%*x-%*x %4s %*x %x:%x %" SCNu64 " %n", permissions, &major, &minor,
		   &ret_file->inode, &path_at) != 4 ||
	    permissions[2] != 'x' || !ret_file->inode || line[path_at] != '/')
		return false;
	ret_file->device = (uint64_t)major << 32 | minor;
	ret_file->path = line + path_at;
	len = strlen(ret_file->path);
	ret_file->is_deleted = len > strlen(DELETED) &&
			       strcmp(ret_file->path + len - strlen(DELETED), DELETED) == 0;
	return true;
}

int mapped_files_each(pid_t pid, void (*fn)(void *ctx, const struct mapped_file *f), void *ctx)
{
	char line[MAPPED_FILE_PATH_MAX + 128];
	char path[32];
	scoped_file FILE *maps = NULL;
	struct mapped_file f;
	unsigned found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid); /* shorter */
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	for (unsigned n = 0; n < LINES_MAX && found < MAPPED_FILES_MAX; n++) {
		if (!fgets(line, sizeof(line), maps))
			break;
		/* Of a longer line, the rest is no line that parse() takes. */
		if (strchr(line, '\n') && parse(line, &f)) {
			fn(ctx, &f);
			found++;
		}
	}
	return 0;
}

static int open_in_root(pid_t pid, const char *path)
{
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char root_path[32];
	scoped_fd int root = -1;
	long fd;

	(void)snprintf(root_path, sizeof(root_path), "/proc/%d/root", (int)pid); /* shorter */
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* A program whose file was removed can be opened all the same. */
static int open_program(pid_t pid)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid); /* shorter */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int mapped_file_open(pid_t pid, const struct mapped_file *f)
{
	int fd = f->is_deleted ? open_program(pid) : open_in_root(pid, f->path);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == f->inode)
		return fd;
	(void)close(fd); /* nothing was written */
	return -ESTALE;
}
