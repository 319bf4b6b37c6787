/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace of a Pod: it is as old as the Pod, so its counters tell of connections that
 * nobody watched.
 */
#ifndef SIDELIGHT_POD_NETWORK_H
#define SIDELIGHT_POD_NETWORK_H

#include <stdint.h>

/*
 * TCP connections that were accepted or opened in our network namespace since it exists.
 * root stands before /proc, "" but in tests.
 * Returns 0, -EXDEV in the node's own namespace (hostNetwork), or -ENOENT if the kernel does not
 * say.
 */
int network_connections(const char *root, uint64_t *ret_count);

#endif
