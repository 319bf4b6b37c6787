/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the BPF programs of the capture, attaches them to the cgroups of targets, reads their
 * counters, and answers their questions.
 *
 * This part of the live capture needs capabilities: CAP_BPF and CAP_NET_ADMIN to load and attach,
 * CAP_PERFMON to load. The reader of the records (capture/ring.h) needs none. Programs and links
 * belong to the process that loaded them and disappear with it, however it ends.
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
 * Loads the programs. ring_bytes is a power of two and a multiple of the page size. conn_cap is the
 * maximum number of connections in user space; the kernel stores state of at most four times as
 * many, in a quarter of our memory limit. Returns NULL after one log line.
 */
struct programs *programs_new(size_t ring_bytes, uint64_t conn_cap);
/* Detaches from all cgroups. Accepts NULL. */
void programs_free(struct programs *p);

/* The layout of the ring that these programs write to; its descriptors are borrowed. */
const struct ring_layout *programs_ring(const struct programs *p);

/*
 * Lets another BPF object, opened but not loaded, use the maps of these programs that have the same
 * names as its own. Returns their number, or negative errno.
 */
int programs_share_maps(const struct programs *p, struct bpf_object *object);

/*
 * Attaches to a cgroup. id is the kernel's id of the cgroup (its inode), container the number that
 * its events carry. After an error nothing is attached. -ENOSPC: PROGRAMS_CGROUPS_MAX is reached.
 * -EBUSY: another program holds a hook (capture/hooks.h).
 */
#define PROGRAMS_CGROUPS_MAX 64
int programs_attach(struct programs *p, int cgroup_fd, uint64_t id, uint64_t container);
/* Detaches; events that are in the ring still come. */
void programs_detach(struct programs *p, uint64_t id);

/* Reads the counters of an attached cgroup, summed over CPUs. */
int programs_counters(const struct programs *p, uint64_t id, uint64_t ret_counter[SL_C_MAX]);

/*
 * Nothing more of a connection is needed: it is muted with this reason at the next flight, unless
 * it speaks HTTP in plaintext. Returns 0 or negative errno.
 */
int programs_mute(struct programs *p, uint64_t conn_id, enum sl_mute why);

/* From now on TLS connections are copied, not muted. */
void programs_read_tls(struct programs *p);

/* True if the kernel stores state of as many connections as it may, and does not follow others. */
bool programs_is_full(const struct programs *p);
/*
 * The maps with that state, by socket: one of them has a value for each connection that is
 * followed.
 */
#define PROGRAMS_STORAGES 2
void programs_storages(const struct programs *p, int ret_fds[PROGRAMS_STORAGES]);

/*
 * Answers an event with wants_frame_start: an HTTP/2 frame of this direction starts at seq. The
 * answer also confirms that the connection speaks HTTP/2. If it is lost, a later event asks again.
 */
int programs_answer(struct programs *p, uint64_t conn_id, enum dir dir, uint32_t seq);

/* Removes up to max CLOSE records that did not fit in the ring. Returns their number. */
int programs_take_closes(struct programs *p, struct sl_close *ret_closes, int max);

#endif
