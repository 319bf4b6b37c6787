/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the connections of our network namespace that are in a BPF sockmap: their data may pass
 * from socket to socket without a segment and without any change of TCP's counters.
 *
 * Needs CAP_BPF and CAP_PERFMON, and a kernel with BTF. Functions return 0 or negative errno and
 * never log.
 */
#ifndef SIDELIGHT_CAPTURE_SOCKMAP_H
#define SIDELIGHT_CAPTURE_SOCKMAP_H

#include <stdbool.h>
#include <stdint.h>

struct sockmap;

int sockmap_new(struct sockmap **ret_sockmap);
/* Accepts NULL. */
void sockmap_free(struct sockmap *m);

/*
 * Reads the list. -EAGAIN: some sockets have no cookie yet; list them by sock_diag(7), and read
 * again. -E2BIG: there are more sockets than can be stored.
 */
int sockmap_read(struct sockmap *m);
/* True if the last list contains the socket. Accepts NULL. */
bool sockmap_has(const struct sockmap *m, uint64_t cookie);

#endif
