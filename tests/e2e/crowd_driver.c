/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crowd of connections to loopback, made as fast as they can be: each sends what standard
 * input had, says nothing more, and stays open until KEEP newer ones are there. Ends by a signal.
 *
 *     crowd_driver PORT KEEP SOURCES < BYTES
 *
 * With SOURCES 0 they come from 127.0.0.1, else from so many others in turn: 127.0.1.1,
 * 127.0.2.1, ... A reset leaves no TIME_WAIT.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[4096];

/* Returns the descriptor, or -1: no matter why, the next one may succeed. */
static int join(uint16_t port, uint32_t source, size_t len)
{
	const struct linger linger = {.l_onoff = 1};
	const int on = 1;
	const struct sockaddr_in from = {.sin_family = AF_INET,
					 .sin_addr = {htonl(INADDR_LOOPBACK + (source << 8))}};
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr = {htonl(INADDR_LOOPBACK)}};
	/* With something to say, it waits until it can be said. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (len ? 0 : SOCK_NONBLOCK), 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)); /* fits any socket */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)); /* likewise */
	(void)bind(fd, (const struct sockaddr *)&from, sizeof(from)); /* else from 127.0.0.1 */
	(void)connect(fd, (const struct sockaddr *)&to, sizeof(to)); /* goes on by itself */
	if (len)
		(void)send(fd, bytes, len, MSG_NOSIGNAL); /* the server may have closed */
	return fd;
}

int main(int argc, char **argv)
{
	size_t keep = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint32_t sources = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	int *fds = calloc(keep + 1, sizeof(*fds));
	size_t len;

	if (keep == 0 || !fds) {
		(void)fprintf(stderr, "usage: crowd_driver PORT KEEP SOURCES < BYTES\n");
		return 2;
	}
	len = fread(bytes, 1, sizeof(bytes), stdin);
	for (size_t i = 0;; i++) {
		int *fd = &fds[i % keep];

		if (i >= keep && *fd >= 0)
			(void)close(*fd); /* a reset */
		*fd = join((uint16_t)atoi(argv[1]), sources ? 1 + (uint32_t)(i % sources) : 0, len);
	}
}
