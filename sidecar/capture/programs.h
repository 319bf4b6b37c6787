/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs that capture connections: loaded, attached to the cgroups
 * of targets, their counters read, their questions answered.
 *
 * This is the half of the live capture that needs capabilities: CAP_BPF and
 * CAP_NET_ADMIN to load and attach, CAP_PERFMON to load. The other half,
 * capture/ring.h, reads the records through memory that both share, and needs
 * none. Programs and links belong to the process that loaded them: they go
 * with it, however it ends.
 *
 * Functions return 0 or negative errno.
 */
#ifndef SIDELIGHT_CAPTURE_PROGRAMS_H
#define SIDELIGHT_CAPTURE_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "capture/event.h"
#include "capture/ring.h"

struct bpf_object;
struct programs;

/*
 * Loads. ring_bytes is a power of two and a multiple of the page size. conn_cap is how many
 * connections user space follows at once: the kernel keeps something of four times as many at most,
 * in a quarter of our memory limit. NULL: one line was logged.
 */
struct programs *programs_new(size_t ring_bytes, uint64_t conn_cap);
/* Detaches from everything. Accepts NULL. */
void programs_free(struct programs *p);

/* How to open the ring that these programs write to; the descriptors in it are borrowed. */
const struct ring_layout *programs_ring(const struct programs *p);

/*
 * Another BPF object, which is open and not loaded yet, is to use the maps of these programs, as
 * far as it has maps of the same names. Returns how many, or negative errno.
 */
int programs_share_maps(const struct programs *p, struct bpf_object *object);

/*
 * Attaches to a cgroup. id is the kernel's id of it (its inode), container the
 * number that its events carry. Nothing is left attached after an error.
 * -ENOSPC: there are PROGRAMS_CGROUPS_MAX already. -EBUSY: a program of
 * somebody else holds a hook (capture/hooks.h).
 */
#define PROGRAMS_CGROUPS_MAX 64
int programs_attach(struct programs *p, int cgroup_fd, uint64_t id, uint64_t container);
/* Detaches; events that are in the ring already still come. */
void programs_detach(struct programs *p, uint64_t id);

/* The kernel half's counters of an attached cgroup, summed over CPUs. */
int programs_counters(const struct programs *p, uint64_t id, uint64_t ret_counter[SL_C_MAX]);

/* The kernel half keeps something of as many connections as it may: it does not follow others. */
bool programs_is_full(const struct programs *p);
/* The maps of what it keeps, by socket: one of them has a value for each that it follows. */
#define PROGRAMS_STORAGES 2
void programs_storages(const struct programs *p, int ret_fds[PROGRAMS_STORAGES]);

/*
 * Answers an event that asks (event.h): a frame of this direction starts at
 * seq. An answer also says that the connection speaks HTTP/2 at all. An answer
 * that is lost is asked for again.
 */
int programs_answer(struct programs *p, uint64_t conn_id, enum dir dir, uint32_t seq);

/* Takes up to max CLOSE records that found no room in the ring. Returns how many. */
int programs_take_closes(struct programs *p, struct sl_close *ret_closes, int max);

#endif
