/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds programs of others at the hooks that the capture attaches to.
 *
 * The programs of a cgroup at one hook are of one of three kinds, by the flags of the first one:
 *
 *   BPF_F_ALLOW_MULTI      accepts further programs of this kind, such as ours; programs of
 *                          cgroups below run, too
 *   BPF_F_ALLOW_OVERRIDE   accepts no other program; a program below replaces it
 *   0                      accepts no other program, also none below
 *
 * The kernel allows attaching below a list of the second kind, which would disable its program
 * there. We don't do that: the program may be a firewall.
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
	char program[16]; /* its name; "": none, or CAP_SYS_ADMIN is missing */
	bool is_overridable; /* BPF_F_ALLOW_OVERRIDE */
	unsigned levels_up; /* 0: attached to the cgroup itself */
};

/*
 * True if a program that does not share its hook prevents attaching to this cgroup. Checks the
 * cgroups above, as far as the mount shows them. has_ours: our programs are attached.
 */
bool hooks_find_holder(int cgroup_fd, bool has_ours, struct hook_holder *ret_holder);

/* As hooks_find_holder(), for the cgroup itself only. */
bool hooks_find_own_holder(int cgroup_fd, struct hook_holder *ret_holder);

/* The programs that run for the sockets of a cgroup, wherever they are attached. */
#define HOOKS_PROGRAMS_MAX 64
struct hooks_effective {
	uint32_t ids[HOOK_MAX][HOOKS_PROGRAMS_MAX];
	uint32_t count[HOOK_MAX];
};

/* Lists that can't be read are empty. */
void hooks_read_effective(int cgroup_fd, struct hooks_effective *ret_effective);
/*
 * True if a program that ran before does not run any more. It may be attached where we can't look.
 */
bool hooks_has_displaced(int cgroup_fd, const struct hooks_effective *before);

/* Logs one line after attaching has failed: which program holds the hook, and what to do. */
void hooks_log_refusal(int cgroup_fd, const char *path, int err);
/* Logs one line: which programs the cgroup does not accept while ours are attached. */
void hooks_log_attached(const char *path);

#endif
