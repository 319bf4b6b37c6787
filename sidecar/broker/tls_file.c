/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tls_file.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

int tls_file_find(const struct tls_file *files, size_t count, const struct mapped_file *f)
{
	for (size_t i = 0; i < count; i++)
		if (files[i].inode == f->inode && files[i].device == f->device)
			return (int)i;
	return -1;
}

void tls_file_open(struct tls_file *ret_file, pid_t pid, const struct mapped_file *f)
{
	size_t len = strlen(f->path);
	int fd = mapped_file_open(pid, f);

	*ret_file = (struct tls_file){.state = fd < 0 ? TLS_FILE_NONE : TLS_FILE_NEW,
				      .device = f->device,
				      .inode = f->inode,
				      .fd = fd,
				      .shared_fd = -1};
	(void)snprintf(ret_file->name, sizeof(ret_file->name), "%s",
		       len < sizeof(ret_file->name) ? f->path
						    : f->path + len + 1 - sizeof(ret_file->name));
	if (fd < 0)
		log_debug("tls: %s of process %d cannot be read (%s)", f->path, (int)pid,
			  strerror(-fd));
}
