/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/socket_members.h"

#include <errno.h>
#include <stdlib.h>

#include "pod/cgroup_tree.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct socket_member *)a)->cgroup_id;
	uint64_t y = ((const struct socket_member *)b)->cgroup_id;

	return (x > y) - (x < y);
}

static bool add(void *ctx, const struct cgroup_tree_entry *entry)
{
	struct socket_members *m = ctx;
	struct socket_member *grown;

	/* Powers of two: the list is full. */
	if ((m->count & (m->count - 1)) == 0) {
		grown = reallocarray(m->list, m->count ? 2 * m->count : 1, sizeof(*grown));
		if (!grown) {
			m->is_cut = true;
			return true;
		}
		m->list = grown;
	}
	m->list[m->count++] = (struct socket_member){entry->id, m->slot};
	return false;
}

/* What is found of a part is its owner's. */
static unsigned owner_of(const struct targets *targets, unsigned slot)
{
	uint64_t part_of = targets->slots[slot].part_of;
	int owner = part_of ? targets_find(targets, part_of) : -1;

	return owner < 0 ? slot : (unsigned)owner;
}

void socket_members_init(struct socket_members *m, const struct targets *targets)
{
	*m = (struct socket_members){.root_slot = -1};
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct targets_slot *s = &targets->slots[i];

		if (!s->target)
			continue;
		if (s->target->cgroup.is_root) {
			m->root_slot = (int)i;
			continue;
		}
		m->slot = owner_of(targets, i);
		if (cgroup_tree_each(s->target->cgroup.fd, "", add, m) == -E2BIG)
			m->is_cut = true;
	}
	if (m->count)
		qsort(m->list, m->count, sizeof(*m->list), compare);
}

void socket_members_release(struct socket_members *m)
{
	free(m->list);
	m->list = NULL;
	m->count = 0;
}

int socket_members_slot(const struct socket_members *m, uint64_t cgroup_id)
{
	struct socket_member key = {.cgroup_id = cgroup_id};
	const struct socket_member *found =
		m->count ? bsearch(&key, m->list, m->count, sizeof(key), compare) : NULL;

	return found ? (int)found->slot : m->root_slot;
}
