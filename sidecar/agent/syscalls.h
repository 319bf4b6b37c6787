/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the targets as metrics, while they are wanted: the broker counts them, and the
 * whole node pays for it meanwhile.
 */
#ifndef SIDELIGHT_AGENT_SYSCALLS_H
#define SIDELIGHT_AGENT_SYSCALLS_H

#include <stdbool.h>

#include "base/text.h"
#include "broker/link.h"
#include "metrics/red.h"
#include "metrics/syscall_metrics.h"

/* Zeroed, it counts nothing, and may be released. */
struct syscalls_agent {
	struct registry *registry; /* borrowed, as the next two */
	struct red *red; /* knows the names of containers */
	struct link *link;
	struct syscall_metrics *metrics; /* NULL: nobody has wanted them yet */
	bool is_on; /* the broker was asked to; it may fail */
};

void syscalls_agent_init(struct syscalls_agent *a, struct registry *r, struct red *red,
			 struct link *link);
void syscalls_agent_release(struct syscalls_agent *a);

/* From now on they are counted, or not. */
void syscalls_agent_set(struct syscalls_agent *a, bool is_on);

/*
 * Appends an object of JSON: "counted", true while they are, and "calls", an array with those of
 * each container since that began. Asks the broker first.
 */
void syscalls_agent_write(struct syscalls_agent *a, struct text *out);

/* What the broker says, for link_ops. */
void syscalls_agent_message(struct syscalls_agent *a, const struct channel_message *m);

#endif
