/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cheapest load that asks for one page after the other: a request on each of its connections,
 * then, in turn, one answer read, and the next request.
 *
 *     asker PORT PATH CONNECTIONS
 *
 * wrk takes more of a CPU for a small request than nginx does, so it cannot saturate it. This one
 * can, and leaves some of its CPU to an observer. All answers have to be as long as the first, and
 * are not looked at. It runs until it is ended.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024

static int fds[CONNECTIONS_MAX];
static char request[256];
static size_t request_len;

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		fail("connect");
	return fd;
}

static void ask(int fd)
{
	if (write(fd, request, request_len) != (ssize_t)request_len)
		fail("write");
}

/* Returns how much there was; it ends the program that there is nothing. */
static size_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size);

	if (n <= 0)
		fail(n ? "read" : "the connection was closed");
	return (size_t)n;
}

/* Reads a whole answer, as its head has it, and returns its length. */
static size_t measure_answer(int fd)
{
	static const char field[] = "\r\nContent-Length: ";
	char buf[4096];
	size_t len = 0;
	char *body;
	char *length;
	size_t whole;

	do {
		if (len == sizeof(buf) - 1)
			goto bad;
		len += read_some(fd, buf + len, sizeof(buf) - 1 - len);
		buf[len] = '\0';
		body = strstr(buf, "\r\n\r\n");
	} while (!body);
	length = strstr(buf, field);
	if (strncmp(buf, "HTTP/1.1 200 ", 13) != 0 || !length || length > body)
		goto bad;
	whole = (size_t)(body + 4 - buf) + strtoul(length + sizeof(field) - 1, NULL, 10);
	while (len < whole)
		len += read_some(fd, buf, whole - len < sizeof(buf) ? whole - len : sizeof(buf));
	if (len == whole)
		return whole;
bad:
	(void)fprintf(stderr, "asker: not an answer that it understands\n");
	exit(EXIT_FAILURE);
}

static void read_answer(int fd, size_t len)
{
	static char buf[64 << 10];

	while (len)
		len -= read_some(fd, buf, len < sizeof(buf) ? len : sizeof(buf));
}

int main(int argc, char **argv)
{
	int count = argc == 4 ? atoi(argv[3]) : 0;
	size_t len;

	if (count < 1 || count > CONNECTIONS_MAX) {
		(void)fprintf(stderr, "usage: asker PORT PATH CONNECTIONS\n");
		return 2;
	}
	request_len =
		(size_t)snprintf(request, sizeof(request),
				 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", argv[2], argv[1]);
	if (request_len >= sizeof(request))
		return 2;
	for (int i = 0; i < count; i++)
		fds[i] = connect_to((uint16_t)atoi(argv[1]));
	ask(fds[0]);
	len = measure_answer(fds[0]);
	for (int i = 0; i < count; i++)
		ask(fds[i]);
	for (int i = 0;; i = (i + 1) % count) {
		read_answer(fds[i], len);
		ask(fds[i]);
	}
}
