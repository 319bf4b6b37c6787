/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidelight-webhook, wiring only: which command.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard_fds.h"
#include "webhook/certs.h"
#include "webhook/flags.h"
#include "webhook/guard.h"
#include "webhook/inject.h"
#include "webhook/janitor.h"
#include "webhook/policy.h"
#include "webhook/serve.h"
#include "webhook/template.h"

/* Bad use: one line, this status. */
#define EXIT_USE 2

static int command_template(const struct flags *f)
{
	(void)f;
	return fputs(template_text, stdout) < 0;
}

static int command_janitor(const struct flags *f)
{
	return janitor_run(&(struct janitor_options){
		.gateway = {.url = f->gateway,
			    .timeout_ms = f->timeout_ms,
			    .ca = f->gateway_ca,
			    .user_file = f->gateway_user_file,
			    .token_file = f->gateway_token_file},
		.older_than_ms = f->older_than_ms,
		.interval_ms = f->interval_ms,
		.is_dry_run = f->is_dry_run,
	});
}

static int command_version(const struct flags *f)
{
	(void)f;
	return printf("sidelight-webhook %s (%s)\n", SIDELIGHT_VERSION, SIDELIGHT_REVISION) < 0;
}

static int command_help(const struct flags *f)
{
	flags_help(stdout, f->help_on);
	return 0;
}

static int command_completion(const struct flags *f)
{
	flags_completion(stdout, (enum option_shell)f->shell);
	return 0;
}

static int command_man(const struct flags *f)
{
	(void)f;
	flags_man(stdout);
	return 0;
}

static int (*const commands[WEBHOOK_COMMAND_MAX])(const struct flags *f) = {
	[WEBHOOK_SERVE] = serve_command,       [WEBHOOK_INJECT] = inject_command,
	[WEBHOOK_CERTS] = certs_command,       [WEBHOOK_POLICY] = policy_command,
	[WEBHOOK_GUARD] = guard_command,       [WEBHOOK_JANITOR] = command_janitor,
	[WEBHOOK_TEMPLATE] = command_template, [WEBHOOK_COMPLETION] = command_completion,
	[WEBHOOK_MAN] = command_man,	       [WEBHOOK_VERSION] = command_version,
	[WEBHOOK_HELP] = command_help,
};

int main(int argc, char **argv)
{
	struct flags f;
	struct text error;
	int err;

	standard_fds_occupy();
	log_set_program("sidelight-webhook");
	text_init(&error);
	err = flags_parse(&f, argc, argv, environ, &error);
	if (err)
		log_error("%s", error.ptr);
	text_release(&error);
	if (err)
		return EXIT_USE;
	log_set_level((enum log_level)f.log_level);
	return commands[f.command](&f);
}
