/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connections of our network namespace are in a BPF sockmap: their data
 * may go from socket to socket without a segment, and without any counter of
 * TCP that advances.
 *
 * Takes CAP_BPF and CAP_PERFMON, and a kernel with BTF. Functions return 0 or
 * negative errno and never log.
 */
#ifndef SIDELIGHT_CAPTURE_SOCKMAP_H
#define SIDELIGHT_CAPTURE_SOCKMAP_H

#include <stdbool.h>
#include <stdint.h>

struct sockmap;

int sockmap_new(struct sockmap **ret_sockmap);
/* Accepts NULL. */
void sockmap_free(struct sockmap *m);

/* Looks. -EAGAIN: sockets have no cookie yet; list them by sock_diag(7), and look again. -E2BIG:
 * there are more than are remembered. */
int sockmap_read(struct sockmap *m);
/* At the last look; NULL: no. */
bool sockmap_has(const struct sockmap *m, uint64_t cookie);

#endif
