/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/probe_cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/hooks.h"
#include "pod/cgroup_tree.h"
#include "pod/holders.h"
#include "pod/process.h"
#include "pod/sock_diag.h"

#define LISTENERS_MAX 4096

/* The top cgroup of the mount. */
static int open_top(struct cgroup *ret_top)
{
	scoped_free struct cgroup_mount *mount = malloc(sizeof(*mount));
	char own[PATH_MAX];
	int err = mount ? cgroup_path_of(0, own, sizeof(own)) : -ENOMEM;

	if (!err)
		err = cgroup_mount_find(mount, NULL, own);
	return err ? err : cgroup_open(ret_top, mount->path);
}

struct held_hooks {
	struct text *out;
	unsigned count;
};

static bool count_held(void *ctx, const struct cgroup_tree_entry *entry)
{
	scoped_fd int fd = openat(entry->dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct held_hooks *held = ctx;
	struct hook_holder h;

	if (fd < 0 || !hooks_find_own_holder(fd, &h))
		return false;
	if (held->count++ == 0)
		text_addf(held->out, "%s (%s: program %u %s)", entry->path, hook_name(h.hook),
			  h.program_id, h.program);
	return false;
}

int probe_held_hooks(struct text *out)
{
	struct cgroup top = {.fd = -1};
	struct held_hooks held = {.out = out};
	int err = open_top(&top);

	if (!err)
		err = cgroup_tree_each(top.fd, top.path, count_held, &held);
	cgroup_close(&top);
	if (held.count > 1)
		text_addf(out, " and %u more", held.count - 1);
	return err ? err : held.count > 0;
}

struct listeners {
	struct sock_info list[LISTENERS_MAX];
	size_t count;
};

static void keep_listener(void *ctx, const struct sock_info *s)
{
	struct listeners *l = ctx;

	if (s->is_listener && s->inode && l->count < LISTENERS_MAX)
		l->list[l->count++] = *s;
}

/* True if an observer of the process's cgroup sees the socket's traffic. */
static bool is_seen(pid_t pid, uint64_t socket_cgroup)
{
	struct cgroup its = {.fd = -1};
	struct cgroup that = {.fd = -1};
	bool is_seen = true; /* also if the process has ended, or the cgroup can't be read */

	if (cgroup_open_pid(&its, pid) == 0 && its.id != socket_cgroup) {
		/* A cgroup below the process's own is observed with it. */
		is_seen = cgroup_tree_open(&that, socket_cgroup) == 0 &&
			  strncmp(that.path, its.path, strlen(its.path)) == 0 &&
			  that.path[strlen(its.path)] == '/';
	}
	cgroup_close(&its);
	cgroup_close(&that);
	return is_seen;
}

static void add_listener(struct text *out, pid_t pid, const struct sock_info *s)
{
	char comm[PROCESS_COMM_MAX];

	process_shown_comm(pid, comm);
	text_addf(out, "port %u of process %d (%s)", s->local_port, (int)pid, comm);
}

int probe_moved_listeners(struct text *out)
{
	scoped_free struct listeners *l = calloc(1, sizeof(*l));
	struct holders holders = {0};
	struct cgroup top = {.fd = -1};
	unsigned count = 0;
	bool is_elsewhere;
	scoped_fd int fd = l ? sock_diag_open(0, &is_elsewhere) : -ENOMEM;
	int err = fd < 0 ? fd : open_top(&top);

	if (err)
		return err;
	holders_add(&holders, &top, 0);
	holders_sort(&holders);
	err = sock_diag_each(fd, NULL, SIZE_MAX, keep_listener, l);
	for (size_t i = 0; !err && i < l->count; i++) {
		const struct holder *h = holders_find(&holders, l->list[i].inode);

		if (h && !is_seen(h->pid, l->list[i].cgroup_id) && count++ == 0)
			add_listener(out, h->pid, &l->list[i]);
	}
	/* A process that was not checked may have such a listener. */
	if (!err && !count && holders.is_denied)
		err = -EACCES;
	holders_release(&holders);
	cgroup_close(&top);
	if (count > 1)
		text_addf(out, " and %u more", count - 1);
	return err ? err : count > 0;
}
