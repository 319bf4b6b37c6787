/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/unix_socket.h"
#include "base/value.h"

#define INHERITED "fd:"

static bool has_directory(void)
{
	char path[] = CONTROL_PATH;

	return access(dirname(path), F_OK) == 0;
}

static int inherit(struct control_socket *s, const char *number)
{
	uint64_t fd;

	if (value_number(number, &fd) || fd > INT_MAX || !unix_socket_is_listening((int)fd) ||
	    !unix_socket_process((int)fd)) {
		log_error("run: --control " INHERITED "%s: this is no Unix socket that listens, or "
			  "the process that made it is not to be seen",
			  number);
		return -EBADF;
	}
	(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC); /* CMD does not get it; cannot fail */
	s->fd = (int)fd;
	s->is_inherited = true;
	return 0;
}

int control_socket_open(struct control_socket *s, const struct options *o)
{
	const char *path = o->control ? o->control : CONTROL_PATH;
	const char *error;
	int fd;

	*s = (struct control_socket){.fd = -1};
	if (o->control && strcmp(o->control, "off") == 0)
		return 0;
	if (o->control && strncmp(o->control, INHERITED, strlen(INHERITED)) == 0)
		return inherit(s, o->control + strlen(INHERITED));
	if (!o->control && !has_directory()) {
		log_debug("run: no control socket: there is no directory of " CONTROL_PATH);
		return 0;
	}
	fd = unix_socket_listen(path, &error);
	if (fd < 0 && o->control) {
		log_error("run: --control %s: %s", path, error);
		return fd;
	}
	if (fd < 0) {
		log_warn("run: no control socket: %s: %s; choose another with --control PATH", path,
			 error);
		return 0;
	}
	s->path = path;
	s->fd = fd;
	return 0;
}

void control_socket_close(struct control_socket *s)
{
	if (s->fd < 0)
		return;
	if (s->path)
		(void)unlink(s->path); /* one that stays is replaced by the next */
	(void)close(s->fd); /* of the worker's, a copy */
	s->fd = -1;
}
