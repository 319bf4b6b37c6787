/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of others at the hooks that capture attaches to.
 *
 * A cgroup's list for one hook is of one of three kinds, by the flags of the
 * first program in it:
 *
 *   BPF_F_ALLOW_MULTI      takes further programs of this kind, as ours are;
 *                          programs of cgroups below run beside them
 *   BPF_F_ALLOW_OVERRIDE   takes no other; a program below takes its place
 *   0                      takes no other, and lets none be attached below
 *
 * So attaching below a list of the second kind would switch its program off
 * there, which the kernel allows. We do not: it may be a firewall.
 */
#ifndef SIDELIGHT_CAPTURE_HOOKS_H
#define SIDELIGHT_CAPTURE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

enum hook { HOOK_INGRESS, HOOK_EGRESS, HOOK_SOCK_OPS, HOOK_MAX };

const char *hook_name(enum hook hook);

struct hook_holder {
	enum hook hook;
	uint32_t program_id;
	char program[16]; /* its name; "": it has none, or CAP_SYS_ADMIN is missing */
	bool is_overridable; /* BPF_F_ALLOW_OVERRIDE */
	unsigned levels_up; /* 0: it is attached to the cgroup itself */
};

/*
 * Does a program that does not share its hook keep us from attaching to this
 * cgroup? Cgroups above are looked at as far as the mount shows them. has_ours:
 * we are attached.
 */
bool hooks_find_holder(int cgroup_fd, bool has_ours, struct hook_holder *ret_holder);

/* Likewise, of the cgroup itself only. */
bool hooks_find_own_holder(int cgroup_fd, struct hook_holder *ret_holder);

/* What runs for the sockets of a cgroup, wherever it is attached. */
#define HOOKS_PROGRAMS_MAX 64
struct hooks_effective {
	uint32_t ids[HOOK_MAX][HOOKS_PROGRAMS_MAX];
	uint32_t count[HOOK_MAX];
};

/* What cannot be read is empty. */
void hooks_read_effective(int cgroup_fd, struct hooks_effective *ret_effective);
/* Does a program that ran before not run any more? It may have been attached where we cannot look.
 */
bool hooks_has_displaced(int cgroup_fd, const struct hooks_effective *before);

/* One line of the log, after attaching has failed: who holds the hook, and what to do. */
void hooks_log_refusal(int cgroup_fd, const char *path, int err);
/* One line: what the cgroup does not take while we are attached. */
void hooks_log_attached(const char *path);

#endif
