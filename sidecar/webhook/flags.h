/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user of sidelight-webhook asked for: one table, flags.c, for
 * base/option.h. Parameters of the injected container (parameter.h) are flags
 * of all commands that write one.
 */
#ifndef SIDELIGHT_WEBHOOK_FLAGS_H
#define SIDELIGHT_WEBHOOK_FLAGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/option.h"
#include "base/text.h"
#include "webhook/parameter.h"

enum webhook_command {
	WEBHOOK_SERVE,
	WEBHOOK_INJECT,
	WEBHOOK_CERTS,
	WEBHOOK_POLICY,
	WEBHOOK_GUARD,
	WEBHOOK_JANITOR,
	WEBHOOK_TEMPLATE,
	WEBHOOK_COMPLETION,
	WEBHOOK_MAN,
	WEBHOOK_VERSION,
	WEBHOOK_HELP,
	WEBHOOK_COMMAND_MAX,
};

/* Strings are borrowed from argv. */
struct flags {
	enum webhook_command command;
	int help_on; /* WEBHOOK_HELP: of this command; -1: of all */
	int log_level; /* enum log_level */
	int shell; /* completion: enum option_shell */
	struct values values; /* defaults of what is injected; checked */

	/* serve */
	const char *listen;
	const char *metrics_listen;
	const char *tls_cert; /* never NULL after flags_parse() of this command; nor tls_key */
	const char *tls_key;
	const char *client_ca; /* NULL: clients need no certificate */
	uint64_t drain_ms;

	/* certs */
	const char *service; /* this and the next two are names that Kubernetes takes */
	const char *namespace;
	const char *secret;
	const char *dir; /* NULL: print */
	uint64_t days;

	/* inject */
	const char *file; /* NULL or "-": standard input */

	/* janitor */
	const char *gateway; /* NULL: not said */
	const char *older_than; /* as it was said */
	uint64_t older_than_ms;
	bool is_once;
	uint64_t interval_ms; /* 0: not said */
	bool is_dry_run;
	uint64_t timeout_ms;
	const char *gateway_ca;
	const char *gateway_user_file;
	const char *gateway_token_file;
};

/* Returns 0, or -EINVAL after adding one line to error that says what is wrong. */
int flags_parse(struct flags *f, int argc, char **argv, char *const *environ, struct text *error);

void flags_help(FILE *out, int command);
void flags_man(FILE *out);
void flags_completion(FILE *out, enum option_shell shell);

#endif
