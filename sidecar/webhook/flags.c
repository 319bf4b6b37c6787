/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/flags.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/option.h"
#include "base/value.h"

#define AT(member) offsetof(struct flags, member)

enum {
	IN_SERVE = 1 << WEBHOOK_SERVE,
	IN_INJECT = 1 << WEBHOOK_INJECT,
	IN_CERTS = 1 << WEBHOOK_CERTS,
	IN_POLICY = 1 << WEBHOOK_POLICY,
	IN_JANITOR = 1 << WEBHOOK_JANITOR,
	IN_WRITERS =
		IN_SERVE | IN_INJECT | IN_POLICY, /* commands that write an injected container */
	IN_ALL = (1 << WEBHOOK_COMMAND_MAX) - 1,
};

static const struct option fixed[] = {
	{"Serving", "listen", NULL, "HOST:PORT", ":8443", "serve reviews there, by TLS",
	 KIND_ADDRESS, IN_SERVE, AT(listen), 0, 0},
	{NULL, "tls-cert", NULL, "FILE", NULL,
	 "certificate (PEM) for NAME.NAMESPACE.svc; read again when it changes", KIND_TEXT,
	 IN_SERVE, AT(tls_cert), 0, 0},
	{NULL, "tls-key", NULL, "FILE", NULL, "its private key (PEM)", KIND_TEXT, IN_SERVE,
	 AT(tls_key), 0, 0},
	{NULL, "client-ca", NULL, "FILE", NULL,
	 "answer only clients whose certificate leads to one in this file (PEM); read again when "
	 "it changes",
	 KIND_TEXT, IN_SERVE, AT(client_ca), 0, 0},
	{NULL, "metrics-listen", NULL, "HOST:PORT", ":9465",
	 "serve /metrics, /healthz and /readyz there, without TLS", KIND_ADDRESS, IN_SERVE,
	 AT(metrics_listen), 0, 0},
	{NULL, "drain", NULL, "DURATION", "5", "after SIGTERM, be unready but serve for so long",
	 KIND_DURATION, IN_SERVE, AT(drain_ms), 0, 600000},

	{"Certificates", "service", NULL, "NAME", "sidelight-webhook",
	 "Service that the certificate is for", KIND_TEXT, IN_CERTS, AT(service), 0, 0},
	{NULL, "namespace", NULL, "NAME", "sidelight-system", "its namespace", KIND_TEXT, IN_CERTS,
	 AT(namespace), 0, 0},
	{NULL, "secret", NULL, "NAME", "sidelight-webhook-tls",
	 "name of the Secret that is printed", KIND_TEXT, IN_CERTS, AT(secret), 0, 0},
	{NULL, "dir", NULL, "DIR", NULL,
	 "write ca.crt, tls.crt and tls.key there instead, and ca.key, by which the next run "
	 "renews them",
	 KIND_TEXT, IN_CERTS, AT(dir), 0, 0},
	{NULL, "days", NULL, "N", "365", "how long it is valid", KIND_NUMBER, IN_CERTS, AT(days), 1,
	 3650},

	{"Output", "log-level", NULL, "error|warn|info|debug", "info",
	 "what to report on standard error", KIND_WORD, IN_ALL, AT(log_level), 0, 0},

	{"Janitor", "gateway", NULL, "URL", NULL, "the Pushgateway to keep clean", KIND_URL,
	 IN_JANITOR, AT(gateway), 0, 0},
	{NULL, "older-than", NULL, "MINUTES", "10",
	 "remove groups that nobody pushed to for so long, or for 90s, 2h; say more than the "
	 "longest push interval",
	 KIND_TEXT, IN_JANITOR, AT(older_than), 0, 0},
	{NULL, "once", NULL, NULL, NULL, "sweep once, and end", KIND_BOOL, IN_JANITOR, AT(is_once),
	 0, 0},
	{NULL, "interval", NULL, "SECONDS", NULL, "sweep again and again, with so long between",
	 KIND_DURATION, IN_JANITOR, AT(interval_ms), 1000, 86400000},
	{NULL, "dry-run", NULL, NULL, NULL, "tell what would be removed, and remove nothing",
	 KIND_BOOL, IN_JANITOR, AT(is_dry_run), 0, 0},
	{NULL, "timeout", NULL, "SECONDS", "30", "give up when the gateway is silent for so long",
	 KIND_DURATION, IN_JANITOR, AT(timeout_ms), 100, 3600000},
	{NULL, "gateway-ca", NULL, "FILE", NULL,
	 "certificates (PEM) that the gateway's must lead to", KIND_TEXT, IN_JANITOR,
	 AT(gateway_ca), 0, 0},
	{NULL, "gateway-user-file", NULL, "FILE", NULL,
	 "file that holds USER:PASSWORD for basic authentication", KIND_TEXT, IN_JANITOR,
	 AT(gateway_user_file), 0, 0},
	{NULL, "gateway-token-file", NULL, "FILE", NULL, "file that holds a bearer token",
	 KIND_TEXT, IN_JANITOR, AT(gateway_token_file), 0, 0},
};

#define FIXED_COUNT (sizeof(fixed) / sizeof(fixed[0]))

static const struct option_command commands[WEBHOOK_COMMAND_MAX] = {
	[WEBHOOK_SERVE] = {"serve", "--tls-cert FILE --tls-key FILE [OPTIONS]",
			   "the admission server"},
	[WEBHOOK_INJECT] = {"inject", "[OPTIONS] [FILE.json]",
			    "what the webhook would make of a Pod or workload, and what of a List "
			    "with its Namespace, ResourceQuotas and LimitRanges would refuse it "
			    "(- or nothing: standard input)"},
	[WEBHOOK_CERTS] = {"certs", "[OPTIONS]",
			   "make a certificate for it; prints the Secret and the caBundle"},
	[WEBHOOK_POLICY] = {"policy", "[OPTIONS]",
			    "print the injection as a policy that needs no webhook (YAML)"},
	[WEBHOOK_GUARD] = {"guard", "",
			   "print the policy of who may have sidelight's capabilities (YAML)"},
	[WEBHOOK_JANITOR] = {"janitor", "--gateway URL --once|--interval SECONDS",
			     "remove what nobody pushes to any more from a Pushgateway"},
	[WEBHOOK_TEMPLATE] = {"template", "", "print the template of what is injected"},
	[WEBHOOK_COMPLETION] = {"completion", OPTION_SHELL_WORDS,
				"a script for a shell that completes command lines"},
	[WEBHOOK_MAN] = {"man", "",
			 "this page as a page of the manual: sidelight-webhook man | man -l -"},
	[WEBHOOK_VERSION] = {"version", "", "print the version"},
	[WEBHOOK_HELP] = {"help", "[COMMAND]", "this page, or that of one command"},
};

/* SIDELIGHT_INJECT_PUSH_INTERVAL for "push-interval": a Deployment takes them from a ConfigMap. */
static const char *variable_of(enum parameter_id id)
{
	static char names[PARAM_MAX][48];
	size_t len = (size_t)snprintf(names[id], sizeof(names[id]), "SIDELIGHT_INJECT_%s",
				      parameter_table[id].name);

	for (size_t i = 0; i < len && names[id][i]; i++)
		names[id][i] =
			names[id][i] == '-' ? '_' : (char)toupper((unsigned char)names[id][i]);
	return names[id];
}

/* The fixed rows, then one for each parameter; --log-level of the container is SIDELIGHT's own. */
static const struct option_set *flag_set(void)
{
	static struct option rows[FIXED_COUNT + PARAM_MAX];
	static struct option_set set = {
		"sidelight-webhook",
		"injects sidelight into Pods that ask for it",
		"In brackets: the default.",
		commands,
		WEBHOOK_COMMAND_MAX,
		rows,
		0,
	};

	if (set.option_count)
		return &set;
	memcpy(rows, fixed, sizeof(fixed));
	set.option_count = FIXED_COUNT;
	for (int i = 0; i < PARAM_MAX; i++) {
		const struct parameter *p = &parameter_table[i];

		if (option_find(&set, span_of(p->name)))
			continue;
		rows[set.option_count++] = (struct option){
			.section = i == 0 ? "What is injected; annotations sidelight.dev/NAME of a "
					    "Pod win"
				   : p->is_administrators ? "What annotations may choose"
							  : NULL,
			.flag = p->name,
			.variable = variable_of((enum parameter_id)i),
			.metavar = p->metavar,
			.fallback = *p->fallback ? p->fallback : NULL,
			.help = p->help,
			.kind = KIND_TEXT,
			.commands = IN_WRITERS,
			.offset = AT(values.of) + (size_t)i * sizeof(char *),
		};
	}
	return &set;
}

static int read_operand(struct flags *f, const char *arg, struct text *error)
{
	if (f->command == WEBHOOK_INJECT && !f->file) {
		f->file = arg;
		return 0;
	}
	if (f->command == WEBHOOK_HELP && f->help_on < 0) {
		f->help_on = option_command_find(flag_set(), arg);
		return f->help_on < 0 ? option_fail_command(flag_set(), arg, error) : 0;
	}
	if (f->command == WEBHOOK_COMPLETION && f->shell < 0 &&
	    value_word(arg, OPTION_SHELL_WORDS, &f->shell) == 0)
		return 0;
	text_addf(error, "unexpected argument \"%s\"; usage: sidelight-webhook %s %s", arg,
		  commands[f->command].name, commands[f->command].arguments);
	return -EINVAL;
}

static int read_arguments(struct flags *f, int argc, char **argv, struct text *error)
{
	option_bits given = 0;

	for (int i = 0; i < argc;) {
		int used = 1;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			f->help_on = (int)f->command;
			f->command = WEBHOOK_HELP;
			return 0;
		}
		if (strncmp(argv[i], "--", 2) == 0)
			used = option_read_flag(flag_set(), (int)f->command, f, argv[i],
						i + 1 < argc ? argv[i + 1] : NULL, &given, error);
		else if (argv[i][0] == '-' && argv[i][1])
			return option_fail_flag(flag_set(), (int)f->command,
						span_from(span_of(argv[i]), 1), error);
		else if (read_operand(f, argv[i], error))
			return -EINVAL;
		if (used < 0)
			return used;
		i += used;
	}
	return 0;
}

static int check_values(struct values *v, struct text *error)
{
	for (int i = 0; i < PARAM_MAX; i++) {
		const struct parameter *p = &parameter_table[i];

		if (!v->of[i])
			v->of[i] = "";
		if (!*v->of[i] || parameter_accepts((enum parameter_id)i, v->of[i]))
			continue;
		text_addf(error, "--%s: \"%s\" is not %s", p->name, v->of[i], p->wanted);
		return -EINVAL;
	}
	return 0;
}

/* Minutes, or a time with its unit; at most a year. */
static int read_age(const char *str, uint64_t *ret_ms)
{
	uint64_t n;

	if (value_number(str, &n) == 0 && n <= 525600)
		n *= 60000;
	else if (value_number(str, &n) == 0 || value_duration(str, &n) || n > 525600 * 60000ull)
		return -EINVAL;
	*ret_ms = n;
	return n > 0 ? 0 : -EINVAL;
}

static int check_janitor(struct flags *f, struct text *error)
{
	if (!f->gateway)
		text_add(error, "janitor: which gateway? say --gateway URL");
	else if (f->is_once == (f->interval_ms > 0))
		text_add(error, "janitor: say either --once or --interval SECONDS");
	else if (f->gateway_user_file && f->gateway_token_file)
		text_add(error, "janitor: either --gateway-user-file or --gateway-token-file");
	else if (read_age(f->older_than, &f->older_than_ms))
		text_addf(error,
			  "--older-than: \"%s\" is not a number of minutes (or a time like "
			  "90s, 2h), at most a year",
			  f->older_than);
	else
		return 0;
	return -EINVAL;
}

/* RFC 1123 labels; a Secret's name may have dots. */
static bool is_name(const char *name, bool has_dots)
{
	size_t len = strlen(name);

	return len > 0 && len <= 63 && strchr(".-", name[0]) == NULL &&
	       strchr(".-", name[len - 1]) == NULL &&
	       strspn(name, has_dots ? "abcdefghijklmnopqrstuvwxyz0123456789-."
				     : "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int check_certs(const struct flags *f, struct text *error)
{
	const char *bad = !is_name(f->service, false)	  ? f->service
			  : !is_name(f->namespace, false) ? f->namespace
			  : !is_name(f->secret, true)	  ? f->secret
							  : NULL;

	if (!bad)
		return 0;
	text_addf(error, "\"%s\" is not a name that Kubernetes takes", bad);
	return -EINVAL;
}

int flags_parse(struct flags *f, int argc, char **argv, char *const *environ, struct text *error)
{
	option_bits given = 0;
	int command = WEBHOOK_HELP;
	int err;

	*f = (struct flags){.command = WEBHOOK_HELP, .help_on = -1, .shell = -1};
	if (argc < 2) {
		text_add(error, "no command; \"sidelight-webhook help\" lists them all");
		return -EINVAL;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		command = WEBHOOK_VERSION;
	else if (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
		command = option_command_find(flag_set(), argv[1]);
	if (command < 0)
		return option_fail_command(flag_set(), argv[1], error);
	f->command = (enum webhook_command)command;
	err = option_read_environment(flag_set(), command, f, environ, &given, error);
	if (!err)
		err = read_arguments(f, argc - 2, argv + 2, error);
	if (!err)
		err = check_values(&f->values, error);
	if (!err && f->command == WEBHOOK_JANITOR)
		err = check_janitor(f, error);
	if (!err && f->command == WEBHOOK_CERTS)
		err = check_certs(f, error);
	if (!err && f->command == WEBHOOK_SERVE && (!f->tls_cert || !f->tls_key)) {
		text_add(error, "--tls-cert and --tls-key are needed; \"sidelight-webhook certs\" "
				"makes what they name");
		err = -EINVAL;
	}
	if (!err && f->command == WEBHOOK_COMPLETION && f->shell < 0) {
		text_add(
			error,
			"for which shell? usage: sidelight-webhook completion " OPTION_SHELL_WORDS);
		err = -EINVAL;
	}
	return err;
}

void flags_help(FILE *out, int command)
{
	option_help(flag_set(), out, command);
}

void flags_man(FILE *out)
{
	option_man(flag_set(), out);
}

void flags_completion(FILE *out, enum option_shell shell)
{
	option_completion(flag_set(), out, shell);
}
