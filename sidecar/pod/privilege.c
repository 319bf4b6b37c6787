/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/privilege.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cap_value_t needed[] = {CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_PTRACE};
/* Kept where it is there, which is not in a Pod: to look at the descriptors of processes of others.
 */
static const cap_value_t for_sockets[] = {CAP_DAC_READ_SEARCH};
/* To signal its processes, and to remove its cgroup: the root of the mount is mode 0555. */
static const cap_value_t for_command[] = {CAP_KILL, CAP_DAC_OVERRIDE};

static const cap_value_t admin[] = {CAP_SYS_ADMIN};

static bool is_lowered;
static bool has_command;
static bool keeps_admin;
static int depth; /* scopes that have raised */

static bool is_permitted(cap_t caps, cap_value_t which)
{
	cap_flag_value_t has = CAP_CLEAR;

	(void)cap_get_flag(caps, which, CAP_PERMITTED, &has); /* unknown to libcap: clear */
	return has == CAP_SET;
}

bool privilege_has(cap_value_t which)
{
	cap_t caps = cap_get_proc();
	bool has = caps && (is_permitted(caps, which) ||
			    (which != CAP_SYS_PTRACE && is_permitted(caps, CAP_SYS_ADMIN)));

	if (caps)
		(void)cap_free(caps);
	return has;
}

static int set_flags(cap_t caps, cap_value_t which, bool in_force)
{
	return cap_set_flag(caps, CAP_PERMITTED, 1, &which, CAP_SET) ||
			       (in_force && cap_set_flag(caps, CAP_EFFECTIVE, 1, &which, CAP_SET))
		       ? -errno
		       : 0;
}

/* Sets those of the list that are permitted now. Returns 0 or negative errno. */
static int keep(cap_t now, cap_t next, const cap_value_t *list, size_t count, bool in_force)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		if (is_permitted(now, list[i]))
			err = set_flags(next, list[i], in_force);
	return err;
}

/* The old way to have the newer ones; not held beside them without need. */
static bool needs_admin(cap_t now)
{
	return !is_permitted(now, CAP_BPF) || !is_permitted(now, CAP_NET_ADMIN) ||
	       !is_permitted(now, CAP_PERFMON);
}

static int apply(cap_t next)
{
	return cap_set_proc(next) ? -errno : 0;
}

/* Accepts NULL. */
static void release(cap_t now, cap_t next)
{
	if (now)
		(void)cap_free(now);
	if (next)
		(void)cap_free(next);
}

/* What is permitted of all that is needed, into this flag; into the others as requested. */
static int set_needed(bool in_force, bool keeps_rest)
{
	cap_t now = cap_get_proc();
	cap_t next = keeps_rest ? cap_dup(now) : cap_init();
	int err = now && next ? 0 : -ENOMEM;

	if (!err)
		err = keep(now, next, needed, COUNT(needed), in_force);
	if (!err && (keeps_admin || needs_admin(now)))
		err = keep(now, next, admin, COUNT(admin), in_force && needs_admin(now));
	if (!err)
		err = keep(now, next, for_sockets, COUNT(for_sockets), in_force);
	if (!err && has_command)
		err = keep(now, next, for_command, COUNT(for_command), in_force);
	if (!err)
		err = apply(next);
	release(now, next);
	return err;
}

int privilege_init(void)
{
	return set_needed(true, true);
}

bool privilege_keep_admin(bool wants)
{
	cap_t now = cap_get_proc();

	keeps_admin = wants && now && is_permitted(now, CAP_SYS_ADMIN);
	if (now)
		(void)cap_free(now);
	return keeps_admin;
}

void privilege_force_admin(bool in_force)
{
	cap_t caps = is_lowered && keeps_admin ? cap_get_proc() : NULL;

	/* What then is refused says so itself; where it stands in for others, it stays. */
	if (caps && !needs_admin(caps) &&
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, admin, in_force ? CAP_SET : CAP_CLEAR) == 0)
		(void)cap_set_proc(caps);
	if (caps)
		(void)cap_free(caps);
}

int privilege_lower(bool with_command)
{
	int err;

	has_command = with_command;
	err = set_needed(false, false);
	if (err)
		return err;
	/* Nothing that we might be made to execute gets them back. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* since 3.5: cannot fail */
	is_lowered = true;
	return 0;
}

int privilege_give_up(bool with_files)
{
	static const cap_value_t files[] = {CAP_DAC_OVERRIDE};
	cap_t now = cap_get_proc();
	cap_t next = cap_init();
	int err = now && next ? 0 : -ENOMEM;

	if (!err && with_files)
		err = keep(now, next, files, COUNT(files), true);
	if (!err)
		err = apply(next);
	release(now, next);
	if (!err) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* since 3.5: cannot fail */
		is_lowered = true;
	}
	return err;
}

int privilege_raise(void)
{
	if (is_lowered && depth == 0)
		(void)set_needed(true, false); /* what then is refused says so itself */
	return ++depth;
}

void privilege_drop(const int *raised)
{
	(void)raised;
	if (--depth == 0 && is_lowered)
		(void)set_needed(false, false); /* from more to less is always allowed */
}
