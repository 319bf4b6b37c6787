/* SPDX-License-Identifier: Apache-2.0 */
/* Listening Unix sockets. */
#ifndef SIDELIGHT_BASE_UNIX_SOCKET_H
#define SIDELIGHT_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/* "@" and the five hexadecimal digits that Linux chooses. */
#define UNIX_SOCKET_ABSTRACT_SIZE 8

/*
 * Listens at path, for the owner of the process only (mode 0600). A socket that nobody listens at
 * any more is replaced; anything else there stays. Returns a non-blocking descriptor, or negative
 * errno with a few words in *ret_error (valid until the next call of anything): -EADDRINUSE if
 * somebody listens there.
 */
int unix_socket_listen(const char *path, const char **ret_error);

/*
 * Listens at an abstract address that the kernel chooses ("Autobind feature" of unix(7)), which
 * all of the network namespace may connect to, and writes it into name, with @ for the zero byte.
 * For a child to inherit: the descriptor stays open over execve(). Returns it, or negative errno.
 */
int unix_socket_listen_abstract(char name[UNIX_SOCKET_ABSTRACT_SIZE]);

/* Whether fd is a Unix socket that listens. */
bool unix_socket_is_listening(int fd);

/* The process that has connected, or for a listening socket the one that made it listen; 0: it
 * cannot be told, or is in a PID namespace that is not seen from here. */
pid_t unix_socket_process(int fd);

#endif
