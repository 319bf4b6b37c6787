/* SPDX-License-Identifier: Apache-2.0 */
#include "base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

/* Splits HOST:PORT; the host is copied, without brackets. */
static bool split(const char *where, char *host, size_t size, const char **ret_port)
{
	const char *colon = strrchr(where, ':');
	size_t len;
	char *end;

	if (!colon)
		return false;
	len = (size_t)(colon - where);
	if (len >= 2 && where[0] == '[' && where[len - 1] == ']') {
		where++;
		len -= 2;
	} else if (memchr(where, ':', len)) {
		return false; /* an IPv6 address without brackets: which colon? */
	}
	if (len >= size || colon[1] < '0' || colon[1] > '9' ||
	    strtoul(colon + 1, &end, 10) > 65535 || *end)
		return false;
	memcpy(host, where, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return true;
}

static int open_one(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int off = 0;
	int err;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		goto fail;
	if (ai->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		goto fail;
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
fail:
	err = errno;
	(void)close(fd); /* the first error is the one to tell */
	errno = err;
	return -1;
}

int listen_open(const char *where, const char **ret_error)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list;
	char host[256];
	const char *port;
	int fd = -1;
	int err;

	if (!split(where, host, sizeof(host), &port)) {
		*ret_error = "not HOST:PORT";
		return -1;
	}
	/* Without a host both families are wanted, and `::` is both. */
	err = getaddrinfo(host[0] ? host : "::", port, &hints, &list);
	if (err) {
		*ret_error = gai_strerror(err);
		return -1;
	}
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = open_one(ai);
	if (fd < 0 && errno == EAFNOSUPPORT && !host[0]) {
		/* A kernel without IPv6. */
		const struct sockaddr_in any = {.sin_family = AF_INET,
						.sin_port = htons((uint16_t)atoi(port))};
		const struct addrinfo v4 = {.ai_family = AF_INET,
					    .ai_addr = (struct sockaddr *)&any,
					    .ai_addrlen = sizeof(any)};

		fd = open_one(&v4);
	}
	if (fd < 0)
		*ret_error = strerror(errno);
	freeaddrinfo(list);
	return fd;
}

uint16_t listen_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = {.v6 = {0}};
	socklen_t len = sizeof(addr);

	if (getsockname(fd, &addr.any, &len) < 0)
		return 0;
	return ntohs(addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port : addr.v4.sin_port);
}
