/* SPDX-License-Identifier: Apache-2.0 */
/* A file that a process of the targets has mapped, and the key-log function in it. */
#ifndef SIDELIGHT_BROKER_TLS_FILE_H
#define SIDELIGHT_BROKER_TLS_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/mapped_files.h"
#include "elf/key_log.h"

enum tls_file_state {
	TLS_FILE_NEW,
	TLS_FILE_SEARCHED, /* just now */
	TLS_FILE_FOUND, /* it has a key-log function */
	TLS_FILE_NONE,
};

struct tls_file {
	enum tls_file_state state;
	uint64_t device;
	uint64_t inode;
	int fd; /* open until it is NONE; else -1 */
	int shared_fd; /* the probe of all processes (tls_forks.h); -1: there is none */
	struct key_log_site site;
	char name[64]; /* the end of its path */
};

/* Its index; negative: it is none of them. */
int tls_file_find(const struct tls_file *files, size_t count, const struct mapped_file *f);
/* Opens what a process has mapped; a file that cannot be read is NONE. */
void tls_file_open(struct tls_file *ret_file, pid_t pid, const struct mapped_file *f);

#endif
