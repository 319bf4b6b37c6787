/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/shared_maps.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int shared_maps_fd(const struct shared_maps *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->map[i].name, name) == 0)
			return m->map[i].fd;
	return -1;
}

int shared_maps_reuse(const struct shared_maps *m, struct bpf_object *object)
{
	struct bpf_map *map = NULL;
	int shared = 0;

	while ((map = bpf_object__next_map(object, map))) {
		int fd = shared_maps_fd(m, bpf_map__name(map));
		int err = fd < 0 ? 0 : bpf_map__reuse_fd(map, fd);

		if (err)
			return err;
		shared += fd >= 0;
	}
	return shared;
}

static int keep(struct shared_maps *m, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	size_t len = strlen(name);
	int fd;

	if (shared_maps_fd(m, name) >= 0)
		return 0;
	if (m->count == SHARED_MAPS_MAX || len >= SHARED_MAP_NAME_MAX)
		return -ENOSPC;
	fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	m->map[m->count].fd = fd;
	memcpy(m->map[m->count++].name, name, len + 1);
	return 0;
}

int shared_maps_keep(struct shared_maps *m, const struct bpf_object *object)
{
	struct bpf_map *map = NULL;
	int err = 0;

	while (!err && (map = bpf_object__next_map(object, map)))
		err = keep(m, map);
	return err;
}

void shared_maps_close(struct shared_maps *m)
{
	for (size_t i = 0; i < m->count; i++)
		(void)close(m->map[i].fd); /* nothing is buffered behind it */
	m->count = 0;
}
