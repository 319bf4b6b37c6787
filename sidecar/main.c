/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring only: which command.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/standard_fds.h"
#include "cmd/doctor.h"
#include "cmd/export.h"
#include "cmd/kubectl_completion.h"
#include "cmd/option_table.h"
#include "cmd/options.h"
#include "cmd/replay.h"
#include "cmd/run.h"
#include "cmd/syscalls.h"
#include "cmd/top.h"
#include "cmd/trace.h"
#include "cmd/ui.h"
#include "pod/privilege.h"
#include "pod/spawn.h"

/* Bad use, or a machine that cannot do what was asked: one line, this status. */
#define EXIT_USE 2

static int command_version(const struct options *o)
{
	(void)o;
	return printf("sidelight %s (%s)\n", SIDELIGHT_VERSION, SIDELIGHT_REVISION) < 0;
}

static int command_help(const struct options *o)
{
	options_help(stdout, o->help_on);
	return 0;
}

static int command_man(const struct options *o)
{
	(void)o;
	option_man(&option_set, stdout);
	return 0;
}

static int command_completion(const struct options *o)
{
	if (o->shell == OPTION_SHELLS)
		kubectl_completion(stdout);
	else
		option_completion(&option_set, stdout, (enum option_shell)o->shell);
	return 0;
}

static int command_doctor(const struct options *o)
{
	int ret = doctor_print(stdout, o);

	if (ret < 0)
		log_error("doctor: cannot write the result (%s)", strerror(-ret));
	return ret < 0 ? 1 : ret;
}

static int (*const commands[COMMAND_MAX])(const struct options *o) = {
	[COMMAND_DOCTOR] = command_doctor,
	[COMMAND_REPLAY] = command_replay,
	[COMMAND_RUN] = command_run,
	[COMMAND_TRACE] = command_trace,
	[COMMAND_EXPORT] = command_export,
	[COMMAND_TOP] = command_top,
	[COMMAND_UI] = command_ui,
	[COMMAND_SYSCALLS] = command_syscalls,
	[COMMAND_COMPLETION] = command_completion,
	[COMMAND_MAN] = command_man,
	[COMMAND_VERSION] = command_version,
	[COMMAND_HELP] = command_help,
};

/*
 * Libraries included. Without containers, exports and a command, `run` opens 57 descriptors; where
 * there are fewer, the kernel seems to lack what doctor looks for. libbpf takes 100 KB of stack.
 */
#define DESCRIPTORS_NEEDED 80
#define STACK_NEEDED	   (256u << 10)

static bool has_limits(const struct options *o)
{
	static const struct limits_need needs[COMMAND_MAX] = {
		[COMMAND_DOCTOR] = {.descriptors = DESCRIPTORS_NEEDED, .stack_bytes = STACK_NEEDED},
		[COMMAND_REPLAY] = {.stack_bytes = STACK_NEEDED},
		[COMMAND_RUN] = {.descriptors = DESCRIPTORS_NEEDED, .stack_bytes = STACK_NEEDED},
		[COMMAND_SYSCALLS] = {.descriptors = DESCRIPTORS_NEEDED,
				      .stack_bytes = STACK_NEEDED},
	};
	struct text why;
	bool are_sufficient;

	text_init(&why);
	are_sufficient = limits_suffice(&needs[o->command], &why);
	if (!are_sufficient)
		log_error("%s", why.ptr);
	text_release(&why);
	return are_sufficient;
}

/* The status of a command that could not do what was asked; or that of CMD, whatever it is. */
static int end(const struct options *o, int status)
{
	sigset_t signals;
	int number;

	if (o->command != COMMAND_RUN || o->argv || o->on_error != ON_ERROR_WAIT ||
	    status != EXIT_USE)
		return status;
	log_warn("run: nothing is watched; waits for SIGTERM, so that the Pod can start");
	(void)sigemptyset(&signals); /* these four cannot fail on a set like this */
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)sigwait(&signals, &number);
	return status;
}

/* Without its value: it may be a secret. */
static void warn_of_variable(struct span name, const char *guess)
{
	log_warn("there is no variable %.*s; %s%s%s", SPAN_ARG(name),
		 guess ? "did you mean " : "\"sidelight help\" lists all options",
		 guess ? guess : "", guess ? "?" : "");
}

int main(int argc, char **argv)
{
	struct options o;
	struct text error;

	standard_fds_occupy();
	spawn_ignore_file_size();
	text_init(&error);
	if (options_parse(&o, argc, argv, environ, &error)) {
		log_error("%s", error.ptr);
		text_release(&error);
		return end(&o, EXIT_USE);
	}
	log_set_level((enum log_level)o.log_level);
	if (o.command == COMMAND_RUN || o.command == COMMAND_REPLAY)
		option_unknown_variables(&option_set, "SIDELIGHT_", environ, warn_of_variable);
	if (!has_limits(&o))
		return end(&o, EXIT_USE);
	(void)privilege_init(); /* what it could not get is missed where it is needed */
	if (!commands[o.command]) {
		log_error("this build has no such command");
		return EXIT_USE;
	}
	return end(&o, commands[o.command](&o));
}
