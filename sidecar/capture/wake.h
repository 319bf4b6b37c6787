/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a BPF ring buffer. Its own descriptor stays readable while it is not empty; this one
 * is readable once for each wake-up.
 */
#ifndef SIDELIGHT_CAPTURE_WAKE_H
#define SIDELIGHT_CAPTURE_WAKE_H

struct wake {
	int fd; /* to wait on: an epoll instance; -1: not open */
	int ring_fd; /* an epoll instance drops closed descriptors, so this is kept */
};

/* ring_fd is borrowed for this call. Returns 0 or negative errno: then it is not open. */
int wake_open(struct wake *w, int ring_fd);
/* Not open: no-op. */
void wake_close(struct wake *w);
/* Consumes the pending wake-up, if any. */
void wake_consume(const struct wake *w);

#endif
