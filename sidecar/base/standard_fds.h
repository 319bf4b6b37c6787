/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors 0, 1 and 2 of a process that was started with some of them closed. Whatever is
 * opened first takes the lowest number: then log lines go into a socket, and libuv ends the
 * process.
 */
#ifndef SIDELIGHT_BASE_STANDARD_FDS_H
#define SIDELIGHT_BASE_STANDARD_FDS_H

/*
 * Occupies those that are closed. To be called before anything is opened. Reading and writing them
 * fails as before (EBADF), here and in programs that are started.
 */
void standard_fds_occupy(void);

#endif
