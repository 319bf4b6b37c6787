/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags, environment and annotations. The input is three blocks of lines, each ended by an empty
 * line: the arguments, the environment, and the file of annotations that the kubelet writes.
 * It holds that
 *   - what is refused is refused with one line, and what is taken with none;
 *   - an annotation that is refused changes nothing;
 *   - annotations change what may change at run time and nothing else, and no flag that was given.
 */
#include <string.h>

#include "fuzz.h"
#include "cmd/options.h"
#include "pod/podinfo.h"

#define WORDS_MAX 16

/* Cuts the lines of a block off *rest; the list ends in NULL. */
static size_t cut_lines(char **rest, char *words[WORDS_MAX + 1])
{
	size_t count = 0;

	while (*rest && **rest && count < WORDS_MAX) {
		char *line = strsep(rest, "\n");

		if (!*line)
			break;
		words[count++] = line;
	}
	words[count] = NULL;
	return count;
}

static void check_line(int err, const struct text *error)
{
	fuzz_check(err <= 0 && !error->has_failed);
	fuzz_check(!err == (error->len == 0));
	fuzz_check(!memchr(error->ptr, '\n', error->len));
}

/* What says whom to watch and where to send may not come from an annotation. */
static void check_fixed(const struct options *now, const struct options *start)
{
	fuzz_check(now->command == start->command && now->flags_given == start->flags_given);
	fuzz_check(now->argv == start->argv && now->pid == start->pid);
	fuzz_check(now->cgroup == start->cgroup && now->push == start->push);
	fuzz_check(now->metrics_listen == start->metrics_listen);
	fuzz_check(now->push_user_file == start->push_user_file);
	fuzz_check(now->push_token_file == start->push_token_file);
	fuzz_check(now->series_cap == start->series_cap && now->conn_cap == start->conn_cap);
	fuzz_check(now->ring_bytes == start->ring_bytes && now->podinfo == start->podinfo);
}

static void on_pair(void *ctx, const char *key, const char *value)
{
	struct options *o = ctx;
	struct options before = *o;
	struct text error;
	int err;

	text_init(&error);
	err = options_annotate(o, key, value, &error);
	fuzz_check(!err == (error.len == 0));
	if (err)
		fuzz_check(memcmp(&before, o, sizeof(before)) == 0);
	text_release(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *all = strndup((const char *)data, size);
	char *rest = all;
	char program[] = "sidelight";
	char *args[WORDS_MAX + 2] = {program};
	char *env[WORDS_MAX + 1];
	struct options o;
	struct options start;
	struct text error;
	size_t argc;
	int err;

	fuzz_check(all);
	argc = 1 + cut_lines(&rest, args + 1);
	(void)cut_lines(&rest, env);
	text_init(&error);
	err = options_parse(&o, (int)argc, args, env, &error);
	check_line(err, &error);
	if (!err && rest) {
		start = o;
		(void)podinfo_parse(rest, on_pair, &o);
		check_fixed(&o, &start);
	}
	text_release(&error);
	free(all);
	return 0;
}
