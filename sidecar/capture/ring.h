/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live source: reads the records of the BPF programs (capture/programs.h) from memory that is
 * shared with the kernel. Needs no capability, only the descriptors of the shared maps.
 */
#ifndef SIDELIGHT_CAPTURE_RING_H
#define SIDELIGHT_CAPTURE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "capture/source.h"

/* The maps that the kernel and the reader share. */
enum ring_map {
	RING_MAP_WAKE, /* BPF ring buffer: wakes the reader, and may hold the records */
	RING_MAP_SHARED, /* .data.shared: struct sl_shared */
	RING_MAP_BSS, /* .bss: flags that the programs and the reader exchange */
	RING_MAP_RECORDS, /* array with the records, if `seal` is not 0 */
	RING_MAPS,
};

struct ring_layout {
	uint64_t bytes; /* size of the memory for records: a power of two */
	uint64_t wake_bytes; /* size of the BPF ring buffer */
	/* Marks a record as complete (event.h); 0: records are in the BPF ring buffer. */
	uint64_t seal;
	int fds[RING_MAPS];
};

/* Operations that need capabilities, executed by the process that loaded the programs. */
struct ring_owner_ops {
	/*
	 * Fetches CLOSE records that did not fit in the ring; ret_closes has room for max of them.
	 * Returns their number, or negative errno; -ETIMEDOUT: not yet, ask again.
	 */
	int (*fetch_closes)(void *ctx, struct sl_close *ret_closes, int max);
	/* As source_answer(). */
	int (*answer)(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq);
};

/*
 * Maps the ring. The descriptors of the layout are borrowed for this call. Returns NULL with errno
 * set.
 */
struct source *ring_open(const struct ring_layout *layout, const struct ring_owner_ops *owner,
			 void *ctx);

#endif
