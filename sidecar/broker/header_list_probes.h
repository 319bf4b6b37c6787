/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header lists of gRPC-Go for the worker, while it wants them: it has connections that are older
 * than us, with fields that only their programs know.
 *
 *   OFF      nothing is loaded
 *   ON       the worker has wanted lists within HEADER_LISTS_KEPT_MS: the programs of the targets'
 *            processes are searched for gRPC-Go (library_search.h), and those that have it probed
 *   REFUSED  the kernel does not allow it; one line said so
 *
 * Only lists of connections that are wanted are copied. One that a program writes says no more than
 * its writer: transports.h says which connection that is of, and the program in the kernel is told.
 */
#ifndef SIDELIGHT_BROKER_HEADER_LIST_PROBES_H
#define SIDELIGHT_BROKER_HEADER_LIST_PROBES_H

#include "broker/targets.h"

/* Without being asked again. */
#define HEADER_LISTS_KEPT_MS 10000

struct header_list_probes;

/* OFF. NULL: no memory; then lists are not handed over. */
struct header_list_probes *header_list_probes_new(uv_loop_t *loop, struct targets *targets);
/* The worker wants lists of these connections. Stopped, or NULL: no-op. */
void header_list_probes_want(struct header_list_probes *p, const struct sl_list_ends *ends,
			     size_t count);
/* Lists that were not handed over, since the start. NULL: 0. */
uint64_t header_list_probes_lost(const struct header_list_probes *p);
/* OFF, for good; the loop must run once more. Again, or NULL: no-op. */
void header_list_probes_stop(struct header_list_probes *p);
/* After that. Accepts NULL. */
void header_list_probes_free(struct header_list_probes *p);

#endif
