/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps that several BPF objects use: the maps of an object that was loaded, by name. An object that
 * is loaded later gets those of its maps that have the same names from here, among them sections of
 * variables with a name of their own (".data.shared"), whose values stay as they are.
 *
 * A descriptor here outlives libbpf's object.
 */
#ifndef SIDELIGHT_CAPTURE_SHARED_MAPS_H
#define SIDELIGHT_CAPTURE_SHARED_MAPS_H

#include <stddef.h>

struct bpf_object;

#define SHARED_MAPS_MAX	    48
#define SHARED_MAP_NAME_MAX 32 /* with the zero at the end */

/* All zeros: empty. */
struct shared_maps {
	size_t count;
	struct {
		char name[SHARED_MAP_NAME_MAX];
		int fd;
	} map[SHARED_MAPS_MAX];
};

/* Of an object that is open and not loaded. Returns how many of its maps are shared, or negative
 * errno. */
int shared_maps_reuse(const struct shared_maps *m, struct bpf_object *object);
/*
 * Of an object that is loaded: keeps those of its maps that are not kept yet. Returns 0 or negative
 * errno; -ENOSPC: there are too many, or a name is too long.
 */
int shared_maps_keep(struct shared_maps *m, const struct bpf_object *object);

/* Borrowed; -1: there is none of that name. */
int shared_maps_fd(const struct shared_maps *m, const char *name);

/* It is empty afterwards. */
void shared_maps_close(struct shared_maps *m);

#endif
