/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities: held, and in force only while something needs them.
 *
 *	scoped_privilege int raised = privilege_raise();
 *
 *   ALL       as the program was started, and those in force that only the
 *             program's file gives                       privilege_init()
 *   LOWERED   none in force; what sidelight never needs  privilege_lower()
 *             is given up for good
 *   RAISED    between privilege_raise() and the end of its scope; nests
 *   NONE      none is held any more                     privilege_give_up()
 *
 * In state ALL raising changes nothing. Linux keeps capabilities by thread:
 * this is for the main thread, and threads started while LOWERED have none.
 */
#ifndef SIDELIGHT_POD_PRIVILEGE_H
#define SIDELIGHT_POD_PRIVILEGE_H

#include <stdbool.h>
#include <sys/capability.h>

/* Once, at the start. Returns 0 or negative errno. */
int privilege_init(void);

/*
 * with_command: we are the parent of a CMD, whose processes may belong to
 * anybody and are signalled, and whose cgroup is removed at its end. Returns 0
 * or negative errno; then nothing has changed.
 */
int privilege_lower(bool with_command);

/*
 * Before that: CAP_SYS_ADMIN is needed for itself, so it stays permitted, or is not, after all.
 * Raising does not put it in force. Returns whether it stays.
 */
bool privilege_keep_admin(bool wants);
/* For a system call. Before privilege_lower() everything is in force: no-op. */
void privilege_force_admin(bool in_force);

/* The value is to be given to privilege_drop(). */
int privilege_raise(void);
void privilege_drop(const int *raised);

#define scoped_privilege __attribute__((cleanup(privilege_drop), unused))

/* Gives up all of them for good, as a process does that only reads from now on; with_files: but for
 * CAP_DAC_OVERRIDE, with which root writes into directories of others. Returns 0 or
 * negative errno. */
int privilege_give_up(bool with_files);

/* May this capability be put in force? CAP_SYS_ADMIN stands in for BPF, NET_ADMIN, PERFMON, as in
 * the kernel. */
bool privilege_has(cap_value_t which);

#endif
