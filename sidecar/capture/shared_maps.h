/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps that several BPF objects share: the maps of a loaded object, by name. An object that is
 * loaded later gets its maps of the same names from here, including named sections of variables
 * (".data.shared"), whose values stay unchanged.
 *
 * The descriptors outlive libbpf's object.
 */
#ifndef SIDELIGHT_CAPTURE_SHARED_MAPS_H
#define SIDELIGHT_CAPTURE_SHARED_MAPS_H

#include <stddef.h>

struct bpf_object;

#define SHARED_MAPS_MAX	    48
#define SHARED_MAP_NAME_MAX 32 /* terminating zero included */

/* All zeros: empty. */
struct shared_maps {
	size_t count;
	struct {
		char name[SHARED_MAP_NAME_MAX];
		int fd;
	} map[SHARED_MAPS_MAX];
};

/*
 * For an object that is open and not loaded. Returns how many of its maps are shared, or negative
 * errno.
 */
int shared_maps_reuse(const struct shared_maps *m, struct bpf_object *object);
/*
 * For a loaded object: adds its maps that are not in m yet. Returns 0 or negative errno; -ENOSPC:
 * there are too many, or a name is too long.
 */
int shared_maps_keep(struct shared_maps *m, const struct bpf_object *object);

/* Returns a borrowed descriptor, or -1. */
int shared_maps_fd(const struct shared_maps *m, const char *name);

/* Closes all descriptors; m is empty afterwards. */
void shared_maps_close(struct shared_maps *m);

#endif
