/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that were closed before the peer had read everything. The kernel
 * keeps what is unread, in memory that is charged to us; here that memory has a
 * bound. A peer that goes on reading gets everything; when the bound is
 * reached, the connection that is closed for the longest time is reset.
 *
 * The timer runs only while such a socket is left.
 */
#ifndef SIDELIGHT_EXPORT_UNREAD_H
#define SIDELIGHT_EXPORT_UNREAD_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define UNREAD_SOCKETS_MAX 64

struct unread {
	uv_timer_t timer;
	size_t bytes_max; /* that all of them together may leave unread */
	uint64_t max_ms; /* for one */
	uint64_t resets; /* connections whose peer did not get everything */
	size_t count;
	struct unread_socket {
		int fd; /* owned */
		uint64_t since_ms;
	} sockets[UNREAD_SOCKETS_MAX]; /* the oldest first */
};

void unread_init(struct unread *u, uv_loop_t *loop, size_t bytes_max, uint64_t max_ms);
/* Its owner is about to close the socket: keeps a descriptor of its own while something is unread.
 */
void unread_keep(struct unread *u, int fd);
/* Resets what is left, and closes the timer: closed is called when it is gone. */
void unread_close(struct unread *u, uv_close_cb closed);

/* A close() that follows discards what is unread, and resets the connection. */
void unread_discard(int fd);

#endif
