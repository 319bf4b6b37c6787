/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/hooks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The maximum number of levels that are checked. */
#define LEVELS_MAX 64

static const struct {
	enum bpf_attach_type type;
	const char *name;
} hooks[HOOK_MAX] = {
	[HOOK_INGRESS] = {BPF_CGROUP_INET_INGRESS, "ingress"},
	[HOOK_EGRESS] = {BPF_CGROUP_INET_EGRESS, "egress"},
	[HOOK_SOCK_OPS] = {BPF_CGROUP_SOCK_OPS, "sock_ops"},
};

/* The programs that are attached to the cgroup itself. */
struct attached_list {
	uint32_t flags;
	uint32_t count;
	uint32_t ids[HOOKS_PROGRAMS_MAX];
};

const char *hook_name(enum hook hook)
{
	return hooks[hook].name;
}

static int read_list(int cgroup_fd, enum hook hook, struct attached_list *ret_list)
{
	*ret_list = (struct attached_list){.count = HOOKS_PROGRAMS_MAX};
	return bpf_prog_query(cgroup_fd, hooks[hook].type, 0, &ret_list->flags, ret_list->ids,
			      &ret_list->count);
}

static void read_name(struct hook_holder *h)
{
	scoped_fd int fd = bpf_prog_get_fd_by_id(h->program_id);
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	h->program[0] = '\0';
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
		(void)snprintf(h->program, sizeof(h->program), "%.15s", info.name); /* as long */
}

/* Returns false if the list is empty or shared. */
static bool is_held(const struct attached_list *list, enum hook hook, unsigned levels_up,
		    struct hook_holder *ret_holder)
{
	if (!list->count || list->flags & BPF_F_ALLOW_MULTI)
		return false;
	*ret_holder = (struct hook_holder){.hook = hook,
					   .program_id = list->ids[0],
					   .is_overridable = list->flags & BPF_F_ALLOW_OVERRIDE,
					   .levels_up = levels_up};
	read_name(ret_holder);
	return true;
}

/* Opens the parent directory; -1 where the mount ends. */
static int open_parent(int fd)
{
	int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat above;
	struct stat here;

	if (parent < 0)
		return -1;
	if (fstatfs(parent, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC &&
	    fstat(parent, &above) == 0 && fstat(fd, &here) == 0 && above.st_ino != here.st_ino)
		return parent;
	(void)close(parent); /* nothing was written */
	return -1;
}

/*
 * The nearest list that is not empty decides: it has disabled the lists above it, unless it shares.
 */
static bool find_holder(int cgroup_fd, enum hook hook, bool has_ours, struct hook_holder *ret)
{
	struct attached_list list;
	bool is_held_above = false;
	int fd = fcntl(cgroup_fd, F_DUPFD_CLOEXEC, 0);

	for (unsigned level = 0; fd >= 0 && level < LEVELS_MAX; level++) {
		int parent;

		if (read_list(fd, hook, &list))
			break; /* it was removed */
		if (list.count > (level == 0 && has_ours)) {
			is_held_above = is_held(&list, hook, level, ret);
			break;
		}
		parent = open_parent(fd);
		(void)close(fd); /* nothing was written */
		fd = parent;
	}
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return is_held_above;
}

bool hooks_find_holder(int cgroup_fd, bool has_ours, struct hook_holder *ret_holder)
{
	for (int hook = 0; hook < HOOK_MAX; hook++)
		if (find_holder(cgroup_fd, (enum hook)hook, has_ours, ret_holder))
			return true;
	return false;
}

bool hooks_find_own_holder(int cgroup_fd, struct hook_holder *ret_holder)
{
	struct attached_list list;

	for (int hook = 0; hook < HOOK_MAX; hook++)
		if (read_list(cgroup_fd, (enum hook)hook, &list) == 0 &&
		    is_held(&list, (enum hook)hook, 0, ret_holder))
			return true;
	return false;
}

void hooks_read_effective(int cgroup_fd, struct hooks_effective *ret_effective)
{
	for (int hook = 0; hook < HOOK_MAX; hook++) {
		uint32_t *count = &ret_effective->count[hook];

		*count = HOOKS_PROGRAMS_MAX;
		if (bpf_prog_query(cgroup_fd, hooks[hook].type, BPF_F_QUERY_EFFECTIVE, NULL,
				   ret_effective->ids[hook], count))
			*count = 0;
	}
}

static bool has_id(const struct hooks_effective *e, int hook, uint32_t id)
{
	for (uint32_t i = 0; i < e->count[hook]; i++)
		if (e->ids[hook][i] == id)
			return true;
	return false;
}

bool hooks_has_displaced(int cgroup_fd, const struct hooks_effective *before)
{
	struct hooks_effective now;

	hooks_read_effective(cgroup_fd, &now);
	for (int hook = 0; hook < HOOK_MAX; hook++)
		for (uint32_t i = 0; i < before->count[hook]; i++)
			if (now.count[hook] && !has_id(&now, hook, before->ids[hook][i]))
				return true;
	return false;
}

void hooks_log_refusal(int cgroup_fd, const char *path, int err)
{
	struct hook_holder h;
	char where[64] = "it";

	if (!hooks_find_holder(cgroup_fd, false, &h)) {
		if (err == -EBUSY)
			log_error("run: not attached to cgroup %s: that would switch off a "
				  "program that somebody has attached above it with "
				  "BPF_F_ALLOW_OVERRIDE; it has to use BPF_F_ALLOW_MULTI",
				  path);
		else
			log_error("run: cannot attach to cgroup %s (%s); `sidelight doctor` says "
				  "what is missing",
				  path, strerror(-err));
		return;
	}
	if (h.levels_up)
		(void)snprintf(where, sizeof(where), "the cgroup %u level%s above it", h.levels_up,
			       h.levels_up == 1 ? "" : "s");
	if (h.is_overridable)
		log_error("run: not attached to cgroup %s: program %u (%s) is attached to %s with "
			  "BPF_F_ALLOW_OVERRIDE (%s), and shares the hook with nobody: ours would "
			  "switch it off; whoever attaches it has to use BPF_F_ALLOW_MULTI",
			  path, h.program_id, h.program, where, hook_name(h.hook));
	else
		log_error("run: cannot attach to cgroup %s: program %u (%s) holds the %s hook of "
			  "%s for itself alone, as systemd does for IPAddressAllow=, "
			  "IPAddressDeny= and IPAccounting=; with Delegate=yes in that unit it "
			  "shares the hook, else name a cgroup that is not below it",
			  path, h.program_id, h.program, hook_name(h.hook), where);
}

void hooks_log_attached(const char *path)
{
	log_info("run: until this ends, cgroup %s takes only programs that share its hooks: "
		 "IPAddressAllow=, IPAddressDeny= and IPAccounting= of a systemd unit without "
		 "Delegate=yes are refused",
		 path);
}
