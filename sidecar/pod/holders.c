/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/holders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	struct holders *holders;
	unsigned owner;
};

static bool make_room(struct holders *h)
{
	size_t room = h->room ? 2 * h->room : 64;
	struct holder *list;

	if (h->count < h->room)
		return true;
	list = h->count < HOLDERS_SOCKETS_MAX ? reallocarray(h->list, room, sizeof(*list)) : NULL;
	if (!list) {
		h->is_cut = true;
		return false;
	}
	h->list = list;
	h->room = room;
	return true;
}

/* "socket:[4711]" */
static bool read_inode(int dir_fd, const char *name, uint32_t *ret_inode)
{
	char link[64];
	ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);
	unsigned long inode;

	if (n < 0 || strncmp(link, "socket:[", 8) != 0)
		return false;
	link[n] = '\0';
	inode = strtoul(link + 8, NULL, 10);
	*ret_inode = (uint32_t)inode;
	return inode > 0 && inode <= UINT32_MAX;
}

static int add_process(void *ctx, pid_t pid)
{
	struct walk *w = ctx;
	struct holder found = {.owner = w->owner, .pid = pid};
	struct dirent *entry;
	unsigned looked = 0;
	char path[32];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid); /* shorter */
	dir = opendir(path); /* NULL: it has ended, or this is not permitted */
	w->holders->is_denied |= !dir && errno != ENOENT && errno != ESRCH;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (looked++ == HOLDERS_FDS_MAX) {
			w->holders->is_cut = true;
			break;
		}
		if (read_inode(dirfd(dir), entry->d_name, &found.inode) && make_room(w->holders))
			w->holders->list[w->holders->count++] = found;
	}
	if (dir)
		(void)closedir(dir);
	return 0;
}

void holders_add(struct holders *h, const struct cgroup *cg, unsigned owner)
{
	struct walk w = {h, owner};

	(void)cgroup_each(cg, add_process, &w); /* a cgroup that was removed has none */
}

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct holder *)a)->inode;
	uint32_t y = ((const struct holder *)b)->inode;

	return (x > y) - (x < y);
}

void holders_sort(struct holders *h)
{
	if (h->count)
		qsort(h->list, h->count, sizeof(*h->list), compare);
}

const struct holder *holders_find(const struct holders *h, uint32_t inode)
{
	struct holder key = {.inode = inode};

	return h->count ? bsearch(&key, h->list, h->count, sizeof(key), compare) : NULL;
}

void holders_release(struct holders *h)
{
	free(h->list);
	*h = (struct holders){0};
}
