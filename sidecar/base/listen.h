/* SPDX-License-Identifier: Apache-2.0 */
/* A listening TCP socket by name. */
#ifndef SIDELIGHT_BASE_LISTEN_H
#define SIDELIGHT_BASE_LISTEN_H

#include <stdint.h>

/*
 * HOST:PORT, [ADDRESS]:PORT or :PORT; no host and `[::]` listen on all
 * addresses of both families. Returns a non-blocking descriptor, or -1 with a
 * few words in *ret_error (valid until the next call of anything).
 */
int listen_open(const char *where, const char **ret_error);

/* The port it got. */
uint16_t listen_port(int fd);

#endif
