/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The labels process_name and process_pid of requests, under a bound: a server that starts a
 * process for each request would make series without end.
 *
 *   process            process_name  process_pid
 *   the first 64       its name      its number in the PID namespace of sidelight
 *   further ones       its name      _OTHER       if the name is one of the first 16
 *                      _OTHER        _OTHER       else
 *   ended too early    unknown       unknown      nobody could read its name
 *   not known          ""            ""           the kernel does not tell it (before 6.10)
 *
 * Who has the name of a process tells it before the request ends: at an event of the process for
 * which process_labels_asks() is true. A name is asked for again after a second, because programs
 * change theirs; then the process has another place, and its old series stay.
 */
#ifndef SIDELIGHT_METRICS_PROCESS_LABELS_H
#define SIDELIGHT_METRICS_PROCESS_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics/registry.h"

#define PROCESS_LABELS_PLACES 64
#define PROCESS_LABELS_NAMES  16

struct process_labels;

/* Adds its family to r, which must outlive it. NULL: no memory. */
struct process_labels *process_labels_new(struct registry *r);
/* Accepts NULL. */
void process_labels_free(struct process_labels *p);

/* Must the name of this process be told now? At most 200 times a second of now_ns. */
bool process_labels_asks(struct process_labels *p, uint32_t pid, uint64_t now_ns);

/*
 * A process is called this, and began at started_ns of the clock of now_ns; "": it has ended. What
 * began later than now_ns is another process with the number of the one that was asked for.
 */
void process_labels_tell(struct process_labels *p, uint32_t pid, const char *name,
			 uint64_t started_ns, uint64_t now_ns);

/*
 * The position of the labels of a request of this process; 0: it is not known. Below 256. Counts
 * the request if a label is _OTHER.
 */
unsigned process_labels_find(struct process_labels *p, uint32_t pid);

struct process_label {
	char name[16];
	char pid[11];
};

/* At a position. */
const struct process_label *process_labels_at(const struct process_labels *p, unsigned position);

#endif
