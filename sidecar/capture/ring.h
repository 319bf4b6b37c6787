/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live source: our BPF programs on the cgroups of targets, and the ring
 * through which they report.
 *
 * Programs and links belong to this process: they go with it, however it
 * ends. Loading needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.
 */
#ifndef SIDELIGHT_CAPTURE_RING_H
#define SIDELIGHT_CAPTURE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "capture/source.h"
#include "bpf/event.h"

/* Loads. ring_bytes is a power of two and a multiple of the page size. NULL: one line was logged.
 */
struct source *ring_new(size_t ring_bytes);

/*
 * Attaches to a cgroup. id is the kernel's id of it (its inode), container the
 * number that its events carry. Returns 0 or negative errno; nothing is left
 * attached then. At most RING_CGROUPS_MAX: -ENOSPC.
 */
#define RING_CGROUPS_MAX 64
int ring_attach(struct source *s, int cgroup_fd, uint64_t id, uint64_t container);
/* Detaches; events that are in the ring already still come. */
void ring_detach(struct source *s, uint64_t id);

/* The kernel half's counters of an attached cgroup, summed over CPUs. 0 or negative errno. */
int ring_counters(const struct source *s, uint64_t id, uint64_t ret_counter[SL_C_MAX]);

/*
 * Answers an event that asks (event.h): a frame of this direction starts at seq. An
 * answer also says that the connection speaks HTTP/2 at all. Returns 0 or negative errno;
 * an answer that is lost is asked for again.
 */
int ring_answer(struct source *s, uint64_t conn_id, enum dir dir, uint32_t seq);
/* How many answers were given. */
uint64_t ring_answers(const struct source *s);

/* Records that made no sense. */
uint64_t ring_malformed(const struct source *s);

#endif
