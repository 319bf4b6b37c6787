/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closes links of uprobes on another thread: the kernel waits there until no CPU runs the program
 * any more, which takes some 40 ms.
 */
#ifndef SIDELIGHT_BROKER_LINK_CLOSER_H
#define SIDELIGHT_BROKER_LINK_CLOSER_H

#include <stddef.h>
#include <uv.h>

#define LINK_CLOSER_MAX 8

/*
 * Starts the threads, which have the capabilities of the caller from then on: so once these are
 * lowered (pod/privilege.h). Before, links are closed by the caller itself.
 */
void link_closer_start(uv_loop_t *loop);

/* Descriptors that are not closed yet. */
size_t link_closer_count(void);

/* The descriptors are given. */
void link_closer_close(uv_loop_t *loop, const int *fds, size_t count);

#endif
