/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to loopback that are good for nothing, as fast as they can be
 * made: half a head, some bytes of no meaning, or silence; and a reset.
 *
 *     flood_driver PORT COUNT SEED
 *
 * Different seeds below 250 use different source addresses. A reset leaves no
 * TIME_WAIT: source ports are free again at once.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOURCES 200

static const char half_head[] =
	"POST /half HTTP/1.1\r\nHost: e2e\r\nContent-Length: 100\r\nX-Pad: ";

static uint32_t random_state;

static uint32_t below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static int strike(uint16_t port, uint32_t source)
{
	const struct linger linger = {.l_onoff = 1};
	const int on = 1;
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(source)}};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t draw = below(10);
	unsigned char noise[40];
	ssize_t sent = 0;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) ||
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		(void)close(fd); /* the first error counts */
		return -1;
	}
	if (draw < 3) {
		sent = send(fd, half_head, sizeof(half_head) - 1, MSG_NOSIGNAL);
	} else if (draw < 5) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (unsigned char)below(256);
		sent = send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
	}
	(void)close(fd); /* a reset cannot fail */
	/* The server may have been first: that is its right. */
	(void)sent;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint32_t seed;

	if (!count) {
		(void)fprintf(stderr, "usage: flood_driver PORT COUNT SEED\n");
		return 2;
	}
	seed = (uint32_t)strtoul(argv[3], NULL, 10);
	random_state = seed;
	for (unsigned long i = 0; i < count; i++) {
		uint32_t source = INADDR_LOOPBACK + (seed % 250 << 8) + (uint32_t)i % SOURCES;

		if (strike((uint16_t)strtoul(argv[1], NULL, 10), source)) {
			perror("flood_driver");
			return 1;
		}
	}
	return 0;
}
