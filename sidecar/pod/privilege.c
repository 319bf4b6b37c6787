/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/privilege.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cap_value_t needed[] = {CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_PTRACE};

static bool is_lowered;
static bool keeps_kill; /* CAP_KILL stays in force */
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

/* What is permitted of all that is needed, into this flag; into the others as told. */
static int set_needed(bool in_force, bool keeps_rest)
{
	cap_t now = cap_get_proc();
	cap_t next = keeps_rest ? cap_dup(now) : cap_init();
	cap_value_t signals = CAP_KILL;
	bool needs_admin = false;
	int err = now && next ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i <= COUNT(needed); i++) {
		cap_value_t which = i < COUNT(needed) ? needed[i] : CAP_SYS_ADMIN;

		/* The old way to have the newer ones; not held beside them without need. */
		if (i == COUNT(needed) && !needs_admin)
			break;
		if (!is_permitted(now, which)) {
			needs_admin = needs_admin || which != CAP_SYS_PTRACE;
			continue;
		}
		if (cap_set_flag(next, CAP_PERMITTED, 1, &which, CAP_SET) ||
		    (in_force && cap_set_flag(next, CAP_EFFECTIVE, 1, &which, CAP_SET)))
			err = -errno;
	}
	if (!err && keeps_kill && is_permitted(now, signals) &&
	    (cap_set_flag(next, CAP_PERMITTED, 1, &signals, CAP_SET) ||
	     cap_set_flag(next, CAP_EFFECTIVE, 1, &signals, CAP_SET)))
		err = -errno;
	if (!err && cap_set_proc(next))
		err = -errno;
	if (now)
		(void)cap_free(now);
	if (next)
		(void)cap_free(next);
	return err;
}

int privilege_init(void)
{
	return set_needed(true, true);
}

int privilege_lower(bool wants_kill)
{
	int err;

	keeps_kill = wants_kill;
	err = set_needed(false, false);
	if (err)
		return err;
	/* Nothing that we might be made to execute gets them back. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* since 3.5: cannot fail */
	is_lowered = true;
	return 0;
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
