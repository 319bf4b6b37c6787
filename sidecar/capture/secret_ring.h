/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of TLS handshakes, which the probes (capture/key_probes.h) copy, from memory that is
 * shared with the kernel. Needs no capability, only the descriptors of the maps: secrets go from
 * the kernel to their reader, and no other process reads them.
 *
 * A ring buffer says which elements of an array are filled. A secret is overwritten in the array
 * once it was handed out; memory of a ring buffer is read only for user space.
 */
#ifndef SIDELIGHT_CAPTURE_SECRET_RING_H
#define SIDELIGHT_CAPTURE_SECRET_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "capture/mapped.h"
#include "capture/wake.h"

/* The maps that the kernel and the reader share. */
enum secret_ring_map {
	SECRET_RING_FILLED,
	SECRET_RING_SECRETS,
	SECRET_RING_LOST, /* .data.lost of the programs */
	SECRET_RING_MAPS,
};

struct secrets_bpf__data_lost;

struct secret_ring {
	struct mapped filled;
	struct sl_secret *secrets; /* SL_SECRETS elements; NULL: not open */
	const struct secrets_bpf__data_lost *lost; /* mapped also if the rest could not be */
	struct wake wake; /* of `filled` */
	uint64_t malformed; /* secrets that were dropped: their label and their length do not fit */
};

/* The descriptors are borrowed for this call. Returns 0 or negative errno: then it is not open, and
 * only secret_ring_lost() and secret_ring_close() are allowed. */
int secret_ring_open(struct secret_ring *r, const int fds[SECRET_RING_MAPS]);
/* Accepts a zeroed one, and one that could not be opened. */
void secret_ring_close(struct secret_ring *r);

static inline bool secret_ring_is_open(const struct secret_ring *r)
{
	return r->secrets;
}

/* Becomes readable when a secret comes and none waits: secret_ring_woken() is to be called then. */
int secret_ring_fd(const struct secret_ring *r);
/* Returns true if so many secrets wait that they are to be taken now. */
bool secret_ring_woken(struct secret_ring *r);

/* Secrets that were not handed out, since the programs were loaded. Accepts a zeroed one. */
uint64_t secret_ring_lost(const struct secret_ring *r);

/* secret is overwritten after the call. */
typedef void (*secret_ring_fn)(void *ctx, const struct sl_secret *secret);
/* Calls fn for each secret that waits. Returns how many. */
unsigned secret_ring_take(struct secret_ring *r, secret_ring_fn fn, void *ctx);

#endif
