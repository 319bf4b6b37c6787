/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loaded BPF object of the capture (bpf/socket.bpf.c): descriptors of the programs and of all
 * maps, and the layout of the ring. Which variant of the object is loaded depends on the kernel
 * (bpf/ring.bpf.h) and is hidden here.
 */
#ifndef SIDELIGHT_CAPTURE_LOADED_H
#define SIDELIGHT_CAPTURE_LOADED_H

#include <stddef.h>
#include <stdint.h>

#include "capture/ring.h"
#include "capture/shared_maps.h"

enum loaded_program { LOADED_INGRESS, LOADED_EGRESS, LOADED_SOCKOPS, LOADED_PROGRAMS };

/* Maps that user space reads and writes, beside those of the ring. */
enum loaded_map {
	LOADED_CGROUPS,
	LOADED_VERDICTS,
	LOADED_LATE_CLOSES,
	LOADED_SOCKS,
	LOADED_MUTED,
	LOADED_DATA_COUNT, /* the section .data.count */
	LOADED_MAPS,
};

struct loaded {
	int program_fds[LOADED_PROGRAMS];
	struct shared_maps maps; /* all maps */
	int map_fds[LOADED_MAPS]; /* a subset of maps, as are those of ring */
	struct ring_layout ring;
	uint64_t storages_max; /* connections for which the kernel may store state */
};

/* Loads the object. Returns 0 or negative errno; loaded_release() is needed in both cases. */
int loaded_new(struct loaded *l, size_t ring_bytes, uint64_t storages_max);
void loaded_release(struct loaded *l);

#endif
