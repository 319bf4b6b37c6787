/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/kubectl_completion.h"

#include "cmd/option_table.h"

static const char begin[] =
	"#!/bin/sh\n"
	"# SPDX-License-Identifier: Apache-2.0\n"
	"#\n"
	"# Made by `sidelight completion kubectl`. Put it into the PATH beside kubectl-sidelight:\n"
	"# kubectl 1.26 and newer then completes `kubectl sidelight`.\n"
	"set -u\n"
	"\n"
	"# One word a line; the last line tells kubectl that files are none of them.\n"
	"answer() {\n"
	"\tfor word; do\n"
	"\t\tcase $word in \"$last\"*) echo \"$word\" ;; esac\n"
	"\tdone\n"
	"\techo :4\n"
	"\texit 0\n"
	"}\n"
	"\n"
	"# Of a command of sidelight, behind --: its options, or the words of one.\n"
	"behind() {\n"
	"\tcase $before in\n";

static const char middle[] = "\tesac\n"
			     "\tcase $command in\n";

static const char end[] =
	"\t*) set -- ;;\n"
	"\tesac\n"
	"\tanswer \"$@\"\n"
	"}\n"
	"\n"
	"command=\n"
	"pod=\n"
	"before=\n"
	"is_behind=\n"
	"options= # for every kubectl, quoted\n"
	"while [ $# -gt 1 ]; do\n"
	"\tcase $is_behind$before in\n"
	"\t-n | --namespace | --context | --kubeconfig | --as)\n"
	"\t\toptions=\"$options '$before' '$(printf '%s' \"$1\" | sed \"s/'/'\\\\\\\\''/g\")'\"\n"
	"\t\tbefore=\n"
	"\t\tshift\n"
	"\t\tcontinue\n"
	"\t\t;;\n"
	"\t-c | --container | --image | --port | --output)\n"
	"\t\tbefore=\n"
	"\t\tshift\n"
	"\t\tcontinue\n"
	"\t\t;;\n"
	"\tesac\n"
	"\tbefore=$1\n"
	"\t[ -n \"$is_behind\" ] || case $1 in\n"
	"\t--) is_behind=1 ;;\n"
	"\t-*) ;;\n"
	"\t*) if [ -z \"$command\" ]; then command=$1; else pod=${1#pod/}; fi ;;\n"
	"\tesac\n"
	"\tshift\n"
	"done\n"
	"last=${1-}\n"
	"\n"
	"help() {\n"
	"\tkubectl sidelight help 2>/dev/null\n"
	"}\n"
	"get() {\n"
	"\teval \"kubectl$options get $1\" 2>/dev/null\n"
	"}\n"
	"[ -z \"$is_behind\" ] || behind\n"
	"# shellcheck disable=SC2046 # words of the help and names of Kubernetes\n"
	"case $before,$last in\n"
	"-n,* | --namespace,*) answer $(get \"namespaces -o name\" | sed 's,.*/,,') ;;\n"
	"-c,* | --container,*)\n"
	"\t[ -n \"$pod\" ] || answer\n"
	"\tanswer $(get \"pod '$pod' -o jsonpath='{.spec.containers[*].name}'\")\n"
	"\t;;\n"
	"--output,*)\n"
	"\techo :0\n"
	"\texit 0\n"
	"\t;;\n"
	"--context,* | --kubeconfig,* | --as,* | --image,* | --port,*) answer ;;\n"
	"*,-*) answer $(help | grep '^  -' | grep -o -- '--[a-z][a-z]*') -- ;;\n"
	"esac\n"
	"# shellcheck disable=SC2046 # likewise\n"
	"if [ -z \"$command\" ]; then\n"
	"\tanswer $(help | sed -n 's/^  \\([a-z][a-z]*\\)  .*/\\1/p')\n"
	"elif [ -n \"$pod\" ]; then\n"
	"\tanswer --\n"
	"elif [ \"$command\" = check ]; then\n"
	"\tanswer $(get \"namespaces -o name\" | sed 's,.*/,,')\n"
	"fi\n"
	"# shellcheck disable=SC2046 # likewise\n"
	"answer $(get \"pods -o name\" | sed 's,.*/,,')\n";

/* "'a' 'b'" of "a|b" */
static void print_quoted(FILE *out, const char *words)
{
	(void)fputc('\'', out);
	for (; *words; words++) {
		if (*words == '|')
			(void)fputs("' '", out);
		else
			(void)fputc(*words, out);
	}
	(void)fputc('\'', out);
}

static void print_values(FILE *out)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *opt = &option_table[i];

		if (opt->kind == KIND_BOOL || option_first_row(&option_set, i) != i)
			continue;
		(void)fprintf(out, "\t--%s) answer", opt->flag);
		for (size_t j = i; opt->kind == KIND_WORD && j < option_count; j++) {
			if (option_first_row(&option_set, j) != i)
				continue;
			(void)fputc(' ', out);
			print_quoted(out, option_table[j].metavar);
		}
		(void)fputs(" ;;\n", out);
	}
}

void kubectl_completion(FILE *out)
{
	(void)fputs(begin, out);
	print_values(out);
	(void)fputs(middle, out);
	for (size_t c = 0; c < option_set.command_count; c++) {
		(void)fprintf(out, "\t%s) set --", option_set.commands[c].name);
		for (size_t i = 0; i < option_count; i++)
			if (option_table[i].commands >> c & 1)
				(void)fprintf(out, " --%s", option_table[i].flag);
		(void)fputs(" ;;\n", out);
	}
	(void)fputs(end, out);
}
