/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static int fail(const struct output_file *f, int error)
{
	log_error("%s: %s: cannot be written (%s)", f->command, f->name, strerror(error));
	return -error;
}

/* ".NAME.XXXXXX" beside path. */
static void set_temporary(struct output_file *f)
{
	const char *slash = strrchr(f->path.ptr, '/');
	size_t name = slash ? (size_t)(slash - f->path.ptr) + 1 : 0;

	text_add_span(&f->temporary, (struct span){f->path.ptr, name});
	/* Names have 255 bytes at most. */
	text_addf(&f->temporary, ".%.240s.XXXXXX", f->path.ptr + name);
}

/* What an ordinary file would have: mkostemp() makes one that is its owner's only. */
static void set_mode(int fd, const struct stat *old)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	(void)fchmod(fd, old->st_mode ? old->st_mode & 0777 : 0666 & ~mask); /* no matter */
}

static int open_temporary(struct output_file *f, const char *path, const struct stat *old)
{
	char target[PATH_MAX];
	int fd;

	/* A symbolic link stays, and what it leads to is replaced. */
	text_add(&f->path, old->st_mode && realpath(path, target) ? target : path);
	set_temporary(f);
	if (f->path.has_failed || f->temporary.has_failed)
		return -ENOMEM;
	fd = mkostemp(f->temporary.ptr, O_CLOEXEC);
	if (fd < 0) {
		text_clear(&f->temporary);
		return -errno;
	}
	set_mode(fd, old);
	return fd;
}

/* A pipe, a device; not a directory. */
static int open_special(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int output_file_open(struct output_file *f, const char *command, const char *path)
{
	bool is_stdout = !path || strcmp(path, "-") == 0;
	struct stat old = {0};
	int fd;

	*f = (struct output_file){.command = command, .name = is_stdout ? "standard output" : path};
	text_init(&f->path);
	text_init(&f->temporary);
	if (is_stdout) {
		f->file = stdout;
		return 0;
	}
	if (stat(path, &old) == 0 && !S_ISREG(old.st_mode))
		fd = open_special(path);
	else
		fd = open_temporary(f, path, &old);
	if (fd < 0)
		return fail(f, -fd);
	f->file = fdopen(fd, "w");
	if (!f->file) {
		(void)close(fd); /* nothing was written */
		return fail(f, ENOMEM);
	}
	return 0;
}

int output_file_commit(struct output_file *f)
{
	if (fflush(f->file) != 0)
		return fail(f, errno);
	if (!f->temporary.len)
		return 0;
	/* So that the name never stands for less than the whole, not even after a power cut. */
	if (fsync(fileno(f->file)) != 0 || rename(f->temporary.ptr, f->path.ptr) != 0)
		return fail(f, errno);
	text_clear(&f->temporary);
	return 0;
}

void output_file_close(struct output_file *f)
{
	if (f->file && f->file != stdout)
		(void)fclose(f->file); /* committed, or given up */
	if (f->temporary.len)
		(void)unlink(f->temporary.ptr); /* it may be gone */
	text_release(&f->path);
	text_release(&f->temporary);
}
