/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cheapest load that asks for one page after the other: a request on each of its connections,
 * then, in turn, one answer read, and the next request.
 *
 *     asker PATH CONNECTIONS PORT PORT
 *
 * wrk takes more of a CPU for a small request than nginx does, so it cannot saturate it. This one
 * can, and leaves some of its CPU to an observer. All answers have to be as long as the first, and
 * are not looked at.
 *
 * Two servers are asked in turn, each for a moment, while the other has nothing to do. For each two
 * turns a line is printed: when they began (seconds of CLOCK_MONOTONIC), how many answers a second
 * came in the first and in the second, and how many in all. It runs until it is ended.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define TURN_S		.01
/* The clock is read after so many answers. */
#define ANSWERS 32

struct server {
	int fds[CONNECTIONS_MAX];
	int count;
	char request[256];
	size_t request_len;
	size_t answer_len;
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

static void ask(const struct server *s, int i)
{
	if (write(s->fds[i], s->request, s->request_len) != (ssize_t)s->request_len)
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

static void read_answer(const struct server *s, int i)
{
	static char buf[64 << 10];
	size_t left = s->answer_len;

	while (left)
		left -= read_some(s->fds[i], buf, left < sizeof(buf) ? left : sizeof(buf));
}

static void open_server(struct server *s, const char *port, const char *path, int count)
{
	int n = snprintf(s->request, sizeof(s->request),
			 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", path, port);

	if (n < 0 || (size_t)n >= sizeof(s->request)) {
		(void)fprintf(stderr, "asker: the path is too long\n");
		exit(2);
	}
	s->request_len = (size_t)n;
	s->count = count;
	for (int i = 0; i < count; i++)
		s->fds[i] = connect_to((uint16_t)atoi(port));
	ask(s, 0);
	s->answer_len = measure_answer(s->fds[0]);
}

/* One turn. Returns answers per second while all connections were in use. */
static double take_turn(const struct server *s, unsigned *ret_answers)
{
	double begin = now();
	double end = begin;
	unsigned answers = 0;
	int at = 0;

	for (int i = 0; i < s->count; i++)
		ask(s, i);
	for (;;) {
		read_answer(s, at);
		if (++answers % ANSWERS == 0) {
			end = now();
			if (end - begin >= TURN_S)
				break;
		}
		ask(s, at);
		at = (at + 1) % s->count;
	}
	for (int i = 1; i < s->count; i++)
		read_answer(s, (at + i) % s->count);
	*ret_answers = answers + (unsigned)s->count - 1;
	return answers / (end - begin);
}

int main(int argc, char **argv)
{
	static struct server servers[2];
	int count = argc == 5 ? atoi(argv[2]) : 0;

	if (count < 1 || count > CONNECTIONS_MAX) {
		(void)fprintf(stderr, "usage: asker PATH CONNECTIONS PORT PORT\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		open_server(&servers[i], argv[3 + i], argv[1], count);
	for (;;) {
		double begin = now();
		unsigned answers[2];
		double first = take_turn(&servers[0], &answers[0]);
		double second = take_turn(&servers[1], &answers[1]);

		if (printf("%.6f %.1f %.1f %u %u\n", begin, first, second, answers[0], answers[1]) <
			    0 ||
		    fflush(stdout))
			fail("standard output");
	}
}
