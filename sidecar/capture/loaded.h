/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of the capture's BPF object (bpf/socket.bpf.c) when it is loaded: descriptors of the
 * programs that are attached, of all maps, and how to open the ring. Which form of the object is
 * loaded depends on the kernel (bpf/ring.bpf.h); nobody else has to know.
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
	struct shared_maps maps; /* all of them */
	int map_fds[LOADED_MAPS]; /* some of maps, as are those of ring */
	struct ring_layout ring;
	uint64_t storages_max; /* connections of which the kernel half may keep something */
};

/* Loads. Returns 0 or negative errno, and is to be released either way. */
int loaded_new(struct loaded *l, size_t ring_bytes, uint64_t storages_max);
void loaded_release(struct loaded *l);

#endif
