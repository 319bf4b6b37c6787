/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes that all processes share: where the kernel has no others (capture/key_probes.h), and for
 * programs that fork a child for each connection.
 *
 * The kernel keeps a probe to one process, and a child shakes hands before it has one of its own:
 * how many do depends on how busy the machine is. And a probe takes 40 ms to be closed, so that
 * they cannot follow hundreds of children in a second. Once some children of a process have ended
 * soon, the probe of each of its files is replaced by one that all processes share which have that
 * file mapped; the program in the kernel looks first whether a process is in a watched cgroup.
 */
#ifndef SIDELIGHT_BROKER_TLS_FORKS_H
#define SIDELIGHT_BROKER_TLS_FORKS_H

#include "broker/tls_probes.h"

/* A process has ended. Others may have other probes afterwards. */
void tls_forks_ended(struct tls_probes *t, const struct tls_process *child);

/* One probe for all processes that have the file, instead of theirs; why: for the log. */
void tls_forks_share(struct tls_probes *t, uint16_t file, const char *why);

#endif
