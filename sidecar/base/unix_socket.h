/* SPDX-License-Identifier: Apache-2.0 */
/* A listening Unix socket with a name in the file system. */
#ifndef SIDELIGHT_BASE_UNIX_SOCKET_H
#define SIDELIGHT_BASE_UNIX_SOCKET_H

/*
 * Listens at path, for the owner of the process only (mode 0600). A socket that nobody listens at
 * any more is replaced; anything else there stays. Returns a non-blocking descriptor, or negative
 * errno with a few words in *ret_error (valid until the next call of anything): -EADDRINUSE if
 * somebody listens there.
 */
int unix_socket_listen(const char *path, const char **ret_error);

#endif
