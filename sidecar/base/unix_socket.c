/* SPDX-License-Identifier: Apache-2.0 */
#include "base/unix_socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool has_listener(const struct sockaddr_un *addr)
{
	int fd = open_socket();
	/* EAGAIN: somebody listens, and has more clients than it accepts. */
	bool ret = fd >= 0 && (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
			       errno == EAGAIN);

	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return ret;
}

/* Whatever is there that may be replaced is gone afterwards. */
static int clear_place(const struct sockaddr_un *addr, const char **ret_error)
{
	struct stat st;

	if (lstat(addr->sun_path, &st))
		return 0; /* bind() says what is wrong with the directory */
	if (!S_ISSOCK(st.st_mode)) {
		*ret_error = "a file that is no socket is there";
		return -EEXIST;
	}
	if (has_listener(addr)) {
		*ret_error = "another process listens there";
		return -EADDRINUSE;
	}
	if (unlink(addr->sun_path) && errno != ENOENT) {
		*ret_error = strerror(errno);
		return -errno;
	}
	return 0;
}

int unix_socket_listen(const char *path, const char **ret_error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t mask;
	int err;
	int fd;

	if (!*path || strlen(path) >= sizeof(addr.sun_path)) {
		*ret_error = "the path of a socket has 1 to 107 bytes";
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path)); /* zeros follow */
	err = clear_place(&addr, ret_error);
	if (err)
		return err;
	fd = open_socket();
	if (fd < 0) {
		*ret_error = strerror(errno);
		return -errno;
	}
	mask = umask(0177); /* from its first moment on */
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) || listen(fd, BACKLOG)) {
		*ret_error = strerror(errno);
		err = -errno;
	}
	(void)umask(mask);
	if (!err)
		return fd;
	(void)close(fd); /* nobody has connected */
	return err;
}

int unix_socket_listen_abstract(char name[UNIX_SOCKET_ABSTRACT_SIZE])
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr.sun_family)) ||
	    listen(fd, BACKLOG) || getsockname(fd, (struct sockaddr *)&addr, &len)) {
		err = -errno;
		(void)close(fd); /* nobody has connected */
		return err;
	}
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1; /* without the zero byte */
	(void)snprintf(name, UNIX_SOCKET_ABSTRACT_SIZE, "@%.*s", (int)len, addr.sun_path + 1);
	return fd;
}

static bool has_option(int fd, int option, int want)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == want;
}

bool unix_socket_is_listening(int fd)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_ACCEPTCONN, 1);
}

pid_t unix_socket_process(int fd)
{
	struct ucred who = {.pid = 0};
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 ? who.pid : 0;
}
