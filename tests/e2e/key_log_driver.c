/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     key_log_driver amd64|arm64 FILE...
 *
 * A line of JSON for each file: what key_log_find_of() says of it.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elf/key_log.h"

static void show(const char *path, uint16_t machine)
{
	struct key_log_site site = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = key_log_find_of(fd, machine, &site);
	const uint8_t *in = site.registers.in;

	(void)printf("{\"error\":%d,\"offset\":%llu,\"is_go\":%d,\"label\":%d,\"secret\":%d,"
		     "\"length\":%d,\"session\":%d,\"random\":%d}\n",
		     err, (unsigned long long)site.offset, site.is_go, in[KEY_LOG_LABEL],
		     in[KEY_LOG_SECRET], in[KEY_LOG_LENGTH], in[KEY_LOG_SESSION],
		     in[KEY_LOG_RANDOM]);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++)
		show(argv[i], strcmp(argv[1], "arm64") == 0 ? EM_AARCH64 : EM_X86_64);
	return 0;
}
