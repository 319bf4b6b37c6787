/* SPDX-License-Identifier: Apache-2.0 */
#include "export/unread.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 1000u

void unread_discard(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* is a socket */
}

/* unread_discard() was called for it. */
static bool is_to_be_reset(int fd)
{
	struct linger option = {0};
	socklen_t size = sizeof(option);

	return getsockopt(fd, SOL_SOCKET, SO_LINGER, &option, &size) == 0 && option.l_onoff &&
	       option.l_linger == 0;
}

/* Bytes that the peer has not taken; 0 if it has ended the connection. */
static size_t unread_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) || info.tcpi_state == TCP_CLOSE)
		return 0;
	return ioctl(fd, SIOCOUTQ, &unread) < 0 || unread < 0 ? 0 : (size_t)unread;
}

static void drop(struct unread *u, size_t i)
{
	(void)close(u->sockets[i].fd); /* nobody waits for what it says */
	u->count--;
	memmove(&u->sockets[i], &u->sockets[i + 1], (u->count - i) * sizeof(u->sockets[0]));
}

static void reset_oldest(struct unread *u)
{
	unread_discard(u->sockets[0].fd);
	u->resets++;
	drop(u, 0);
}

/* Lets go of those that are read, and of those that took too long. Returns what is unread. */
static size_t sweep(struct unread *u)
{
	uint64_t now = uv_now(u->timer.loop);
	size_t sum = 0;
	size_t i = 0;

	while (u->count && now - u->sockets[0].since_ms > u->max_ms)
		reset_oldest(u);
	while (i < u->count) {
		size_t unread = unread_of(u->sockets[i].fd);

		sum += unread;
		if (unread)
			i++;
		else
			drop(u, i);
	}
	return sum;
}

static void on_timer(uv_timer_t *timer)
{
	struct unread *u = timer->data;

	(void)sweep(u);
	if (!u->count)
		(void)uv_timer_stop(timer); /* cannot fail */
}

void unread_init(struct unread *u, uv_loop_t *loop, size_t bytes_max, uint64_t max_ms)
{
	*u = (struct unread){.bytes_max = bytes_max, .max_ms = max_ms};
	(void)uv_timer_init(loop, &u->timer); /* cannot fail */
	u->timer.data = u;
}

void unread_keep(struct unread *u, int fd)
{
	size_t unread = unread_of(fd);
	size_t sum;
	int copy;

	if (!u->bytes_max || !unread || is_to_be_reset(fd))
		return;
	sum = sweep(u) + unread;
	while (u->count && (u->count == UNREAD_SOCKETS_MAX || sum > u->bytes_max)) {
		sum -= unread_of(u->sockets[0].fd);
		reset_oldest(u);
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		unread_discard(fd);
		u->resets++;
		return;
	}
	/* The end of the stream, which a close() of the other descriptor does not send any more. */
	(void)shutdown(copy, SHUT_WR); /* fails only if the connection is gone */
	u->sockets[u->count++] = (struct unread_socket){copy, uv_now(u->timer.loop)};
	if (!uv_is_active((uv_handle_t *)&u->timer))
		(void)uv_timer_start(&u->timer, on_timer, TICK_MS, TICK_MS); /* has a callback */
}

void unread_close(struct unread *u, uv_close_cb closed)
{
	while (u->count)
		reset_oldest(u);
	uv_close((uv_handle_t *)&u->timer, closed);
}
