/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/socket_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of the network namespace, of whichever cgroup. */
#define SOCKETS_MAX 65536

/* Parts of the list in one step: a thousand sockets, some milliseconds. */
#define STEP_PIECES 16

/* Of a connection that has carried nothing: its SYN counts for one. */
#define SILENT_BYTES 1

static int compare_memories(const void *a, const void *b)
{
	uint64_t x = ((const struct socket_memory *)a)->cookie;
	uint64_t y = ((const struct socket_memory *)b)->cookie;

	return (x > y) - (x < y);
}

static const struct socket_memory *remembered(const struct socket_look *look, uint64_t cookie)
{
	struct socket_memory key = {.cookie = cookie};

	return look->before->count ? bsearch(&key, look->before->list, look->before->count,
					     sizeof(key), compare_memories)
				   : NULL;
}

static void remember(struct socket_look *look, struct socket_memory m)
{
	struct socket_memories *all = &look->after;
	struct socket_memory *grown;

	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 64;

		grown = room <= SOCKET_MEMORY_MAX ? reallocarray(all->list, room, sizeof(*grown))
						  : NULL;
		if (!grown) {
			look->is_cut = true;
			return;
		}
		all->list = grown;
		all->room = room;
	}
	all->list[all->count++] = m;
}

static void count(struct socket_look *look, unsigned slot, enum unseen reason,
		  const struct sock_info *s, pid_t pid, bool is_new)
{
	struct socket_found *f = &look->found[slot];

	if (f->now[reason]++ == 0 || (s->is_listener && !f->first[reason].is_listener)) {
		f->first[reason] = *s;
		f->pid[reason] = pid;
	}
	f->added[reason] += is_new;
}

/* One whose hooks are those of another cgroup. */
static void check_elsewhere(struct socket_look *look, const struct sock_info *s)
{
	const struct holder *h = s->inode ? holders_find(&look->holders, s->inode) : NULL;
	const struct socket_memory *before;

	if (!h)
		return;
	before = remembered(look, s->cookie);
	remember(look, (struct socket_memory){s->cookie, s->bytes, UNSEEN_OTHER_CGROUP, false});
	count(look, h->owner, UNSEEN_OTHER_CGROUP, s, h->pid,
	      !before || before->reason != UNSEEN_OTHER_CGROUP);
}

/* Why the data of a connection of a target does not pass the hooks; UNSEEN_MAX: it may. */
static enum unseen reason_of(const struct socket_memory *before, const struct socket_memory *now,
			     bool has_state)
{
	if (!has_state && (before->reason == UNSEEN_NO_SEGMENT || now->bytes > before->bytes))
		return UNSEEN_NO_SEGMENT;
	/* Programs may also let data pass, which advances the counters. */
	if (before->is_in_sockmap && now->is_in_sockmap && now->bytes <= SILENT_BYTES)
		return UNSEEN_SOCKMAP;
	return UNSEEN_MAX;
}

static void check_traffic(struct socket_look *look, unsigned slot, const struct sock_info *s)
{
	struct socket_memory now = {s->cookie, s->bytes, UNSEEN_MAX,
				    sockmap_has(look->sockmap, s->cookie)};
	bool has_state = s->has_storage || !look->has_storage;
	const struct socket_memory *before;

	look->has_silent |= s->bytes <= SILENT_BYTES;
	if (has_state && !now.is_in_sockmap)
		return;
	before = remembered(look, s->cookie);
	if (before)
		now.reason = reason_of(before, &now, has_state);
	remember(look, now);
	if (now.reason != UNSEEN_MAX)
		count(look, slot, now.reason, s, 0, before->reason != now.reason);
}

static void on_socket(void *ctx, const struct sock_info *s)
{
	struct socket_look *look = ctx;
	int slot = socket_members_slot(&look->members, s->cgroup_id);

	if (slot < 0)
		check_elsewhere(look, s);
	else if (!s->is_listener)
		check_traffic(look, (unsigned)slot, s);
}

static void add_targets(struct socket_look *look, const struct targets *targets)
{
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct targets_slot *s = &targets->slots[i];

		if (!s->target)
			continue;
		look->numbers[i] = s->target->number;
		/* A part has no process, and sockets all the same. */
		look->may_have_sockets |= s->part_of || cgroup_is_populated(&s->target->cgroup);
		if (!s->target->cgroup.is_root && !s->until_ms)
			holders_add(&look->holders, &s->target->cgroup, i);
	}
	socket_members_init(&look->members, targets);
	holders_sort(&look->holders);
	look->is_cut |= look->members.is_cut || look->holders.is_cut || look->holders.is_denied;
}

static int begin_list(struct socket_look *look, int diag_fd)
{
	const struct sock_diag_maps maps = {look->map_fds, PROGRAMS_STORAGES};

	return sock_diag_begin(&look->list, diag_fd, look->has_storage ? &maps : NULL, SOCKETS_MAX);
}

int socket_look_begin(struct socket_look *look, int diag_fd, const struct targets *targets,
		      const struct sockmap *sockmap, const struct socket_memories *before)
{
	*look = (struct socket_look){.sockmap = sockmap, .before = before};
	add_targets(look, targets);
	programs_storages(targets->programs, look->map_fds);
	/* Connections beyond the cap are in a counter of their own. */
	look->has_storage = !programs_is_full(targets->programs);
	return look->may_have_sockets ? begin_list(look, diag_fd) : 0;
}

static int end(struct socket_look *look)
{
	struct socket_memories *after = &look->after;

	if (after->count)
		qsort(after->list, after->count, sizeof(*after->list), compare_memories);
	return 1;
}

int socket_look_step(struct socket_look *look)
{
	int done = look->may_have_sockets ? 0 : 1;

	for (int i = 0; i < STEP_PIECES && done == 0; i++)
		done = sock_diag_step(&look->list, on_socket, look);
	/* Where the kernel refuses information on the maps of the BPF programs, the list is made
	 * without. */
	if ((done == -EPERM || done == -EINVAL) && look->has_storage) {
		look->has_storage = false;
		return begin_list(look, look->list.fd);
	}
	look->is_cut |= done == -E2BIG;
	return done == 1 || done == -E2BIG ? end(look) : done;
}

void socket_look_release(struct socket_look *look)
{
	holders_release(&look->holders);
	socket_members_release(&look->members);
	free(look->after.list);
	look->after = (struct socket_memories){0};
}
