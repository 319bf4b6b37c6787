/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Rights that every version has (5.13); what later ones add is refused by seccomp, or harmless. */
#define HANDLED                                                                                    \
	(READS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                      \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What is opened after the start by the C library, by GnuTLS, and for metrics about ourselves. */
static const char *const system_paths[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/localtime",
	"/etc/ssl",
	"/etc/pki",
	"/etc/ca-certificates",
	"/etc/gnutls",
	"/usr/share",
	"/usr/lib/ssl",
	"/usr/local/share/ca-certificates",
	"/dev/null",
	"/dev/urandom",
	"/dev/random",
	"/sys/devices/system/cpu",
};

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* What is not there needs no rule. */
static int allow(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = READS};
	scoped_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (!S_ISDIR(st.st_mode)) /* of a file, rights of directories are refused */
		rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)
		       ? -errno
		       : 0;
}

/* The file's directory, in which it may be renewed. One at the top stands alone: its directory is
 * all there is. */
static int allow_directory(int ruleset, const char *file)
{
	scoped_free char *copy = strdup(file);
	const char *dir = copy ? dirname(copy) : NULL;

	if (!dir)
		return -ENOMEM;
	return allow(ruleset, strspn(dir, "/.") == strlen(dir) ? file : dir);
}

/* Where the path leads to through links, which may be renewed there. */
static int allow_target(int ruleset, const char *path)
{
	scoped_free char *real = realpath(path, NULL);

	return real ? allow_directory(ruleset, real) : 0; /* it may come later */
}

/* The file's own directory, and where links in it lead now. */
static int allow_beside(int ruleset, const char *file)
{
	int err = allow_directory(ruleset, file);

	return err ? err : allow_target(ruleset, file);
}

static int add_rules(int ruleset, const char *const *files, size_t count)
{
	char link[1];
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(system_paths) / sizeof(system_paths[0]); i++)
		err = allow(ruleset, system_paths[i]);
	/* systemd-resolved writes the file that this is a link to anew. */
	if (!err && readlink("/etc/resolv.conf", link, sizeof(link)) > 0)
		err = allow_target(ruleset, "/etc/resolv.conf");
	for (size_t i = 0; !err && i < count; i++)
		if (files[i])
			err = allow_beside(ruleset, files[i]);
	return err;
}

int landlock_enter(const char *const *files, size_t count)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs = HANDLED};
	scoped_fd int ruleset = -1;
	int err;

	if (!landlock_version())
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	err = add_rules(ruleset, files, count);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = -errno;
	return err;
}
