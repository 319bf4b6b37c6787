/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `run -- CMD`: a program started inside a cgroup, seen to its end.
 *
 *   WAITING   forked and in its cgroup, waits to be let go  spawn_start()
 *   RUNNING   executes CMD                                  spawn_go()
 *   LEFT      CMD has ended; processes that it started      spawn_read()
 *             are still in its cgroup
 *   ENDED     the cgroup is empty                           spawn_read()
 *
 * Between WAITING and RUNNING the caller attaches: CMD has no first request
 * that is not seen. CMD shares our terminal, process group and environment,
 * and gets the signal mask and dispositions that we were started with.
 *
 * All signals but those for faults, SIGCHLD and SIGPIPE are CMD's: they are
 * blocked here, read from a descriptor and passed on, except for those that the
 * terminal has sent to CMD as well. As PID 1 of a container this process reaps orphans.
 *
 * What CMD leaves is of two kinds. A daemon (a process that has made a session
 * of its own, setsid(2)) is what CMD was there to start: it is watched until it
 * ends, signals go to it, and the second SIGINT or SIGTERM kills it. Anything else
 * is a remainder: it gets SIGTERM a moment after CMD's end, and SIGKILL two seconds later.
 * If we die ourselves, everything lives on.
 */
#ifndef SIDELIGHT_POD_SPAWN_H
#define SIDELIGHT_POD_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "pod/cgroup.h"

enum spawn_state { SPAWN_WAITING, SPAWN_RUNNING, SPAWN_LEFT, SPAWN_ENDED };

struct spawn {
	const struct cgroup *cgroup; /* borrowed until spawn_close() */
	enum spawn_state state;
	pid_t pid; /* of CMD */
	int exit_code; /* as a shell has it: 128 + signal if it was killed; from LEFT on */
	int fd; /* readable: call spawn_read() */
	int signal_fd;
	int events_fd; /* cgroup.events of cgroup */
	int timer_fd; /* LEFT: when what remains gets SIGTERM, then when it is killed */
	bool has_sent_term; /* LEFT: they got SIGTERM */
	int gate_fd; /* WAITING: a byte lets CMD go; errno of a failed exec comes back */
	int ends; /* LEFT: SIGINT and SIGTERM so far */
	bool is_ending; /* spawn_end() was called */
	bool has_killed; /* and what had not ended by then was sent SIGKILL */
	pid_t sibling; /* another child of the caller, set by it; 0: there is none */
	bool has_sibling_ended; /* it was reaped by spawn_read() */
	int sibling_status; /* then: as waitpid() gives it */
};

/*
 * Ignores SIGXFSZ, so that a write beyond the file size limit (a log file) fails and does not end
 * this process. CMD gets the disposition that was inherited. To be called before the first line of
 * the log.
 */
void spawn_ignore_file_size(void);

/* Ignores what would be passed on to CMD, except for stops from the terminal: for a process
 * that is in the terminal's process group beside CMD. */
void spawn_ignore_signals(void);

/*
 * Forks, and moves the child into cg. To be called before any thread is
 * started and before any signal's disposition is changed. Returns 0 or negative
 * errno; then no process is left.
 */
int spawn_start(struct spawn *s, char *const *argv, const struct cgroup *cg);

/*
 * Lets it go. Returns 0, or negative errno of its execvp(); then the state is
 * ENDED and exit_code is 127 (no such program) or 126, as a shell's.
 */
int spawn_go(struct spawn *s);

/* Deals with what has happened. Returns the new state; once it is ENDED, fd has
 * nothing more to tell. */
enum spawn_state spawn_read(struct spawn *s);

/* As if this signal had been sent to us. */
void spawn_signal(struct spawn *s, int signo);

/*
 * Ends the run: SIGTERM to CMD, and to what it left once it has ended; SIGKILL to everything two
 * seconds later; two seconds after that the state is ENDED whatever is left. The exit code is 0
 * if CMD was running, else what it was.
 */
void spawn_end(struct spawn *s);

/* Ends a child that is still WAITING and closes everything; a running CMD is let alone, and
 * the signals stay blocked. Accepts what spawn_start() has refused. */
void spawn_close(struct spawn *s);

#endif
