/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIDELIGHT_EXPORT_RECEIVED_H
#define SIDELIGHT_EXPORT_RECEIVED_H

#include <stdint.h>

/* Bytes that a TCP connection has received since it began, as the kernel counts them; 0 for other
 * descriptors. */
uint64_t received_bytes(int fd);

#endif
