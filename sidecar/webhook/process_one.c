/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/process_one.h"

#include <regex.h>
#include <string.h>

#include "base/text.h"

#define BEFORE "(^|[^[:alnum:]_.-])" /* a word begins; in front of it may be a directory */
#define AFTER  "($|[^[:alnum:]_.-])"

static const struct {
	const char *pattern;
	const char *effect;
} rows[] = {
	{BEFORE "kill( +-[[:alnum:]-]+( +[A-Z]+[0-9]*)?)* +(--? +)?([\"']?)1" AFTER,
	 "sends a signal to process 1"},
	{"/proc/1/", "opens files of process 1"},
	{"(^| )(/sbin/|/usr/sbin/|/lib/systemd/|/usr/lib/systemd/)?(init|systemd|runit|runit-init|"
	 "runsvdir|runsvdir-start|s6-svscan|s6-init|my_init)($| )",
	 "starts an init that may insist on being process 1"},
	{"(^| )/(s6-)?(init|my_init)($| )", "starts an init that may insist on being process 1"},
};

#define COMMAND_BYTES_MAX 16384 /* of a longer one, only the beginning is looked at */

/* The words of an exec's array, with spaces between. */
static void add_words(struct text *out, const cJSON *words)
{
	const cJSON *word;

	cJSON_ArrayForEach(word, words)
	{
		if (!cJSON_IsString(word) || out->len + 1 >= COMMAND_BYTES_MAX)
			continue;
		if (out->len)
			text_add_char(out, ' ');
		text_add_span(out, (struct span){word->valuestring,
						 strnlen(word->valuestring,
							 COMMAND_BYTES_MAX - out->len)});
	}
}

/* Why the command matters, or NULL. */
static const char *effect_of(const char *command)
{
	static regex_t compiled[sizeof(rows) / sizeof(rows[0])];
	static bool is_compiled;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !is_compiled; i++)
		if (regcomp(&compiled[i], rows[i].pattern, REG_EXTENDED | REG_NOSUB))
			return NULL; /* memory: the patterns themselves are tested */
	is_compiled = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (regexec(&compiled[i], command, 0, NULL, 0) == 0)
			return rows[i].effect;
	return NULL;
}

static bool add_warning(cJSON *warnings, const cJSON *container, const char *where,
			const char *effect)
{
	const char *name =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(container, "name"));
	struct text line;
	bool ok;

	text_init(&line);
	text_addf(&line,
		  "container %.63s: its %s %s, which is /pause when the Pod shares its PID "
		  "namespace with sidelight",
		  name ? name : "without a name", where, effect);
	ok = !line.has_failed && cJSON_AddItemToArray(warnings, cJSON_CreateString(line.ptr));
	text_release(&line);
	return ok;
}

/* words: one or two arrays that make up a command. Sets *found at a warning. */
static bool check(const cJSON *container, const char *where, const cJSON *first,
		  const cJSON *second, cJSON *warnings, bool *found)
{
	struct text command;
	const char *effect;
	bool ok;

	if (*found)
		return true;
	text_init(&command);
	add_words(&command, first);
	add_words(&command, second);
	effect = command.len ? effect_of(command.ptr) : NULL;
	ok = !command.has_failed && (!effect || add_warning(warnings, container, where, effect));
	*found = effect;
	text_release(&command);
	return ok;
}

static const cJSON *exec_of(const cJSON *handler)
{
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(handler, "exec"),
						"command");
}

/* One line for a container is enough. */
static bool check_container(const cJSON *container, cJSON *warnings)
{
	static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	static const char *const hooks[] = {"preStop", "postStart"};
	const cJSON *lifecycle = cJSON_GetObjectItemCaseSensitive(container, "lifecycle");
	bool found = false;
	bool ok =
		check(container, "command", cJSON_GetObjectItemCaseSensitive(container, "command"),
		      cJSON_GetObjectItemCaseSensitive(container, "args"), warnings, &found);

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		ok = ok && check(container, hooks[i],
				 exec_of(cJSON_GetObjectItemCaseSensitive(lifecycle, hooks[i])),
				 NULL, warnings, &found);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		ok = ok && check(container, probes[i],
				 exec_of(cJSON_GetObjectItemCaseSensitive(container, probes[i])),
				 NULL, warnings, &found);
	return ok;
}

bool process_one_warn(const cJSON *spec, cJSON *warnings)
{
	static const char *const lists[] = {"initContainers", "containers"};
	const cJSON *container;

	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "shareProcessNamespace")))
		return true;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cJSON_ArrayForEach(container, cJSON_GetObjectItemCaseSensitive(spec, lists[i]))
		{
			if (!check_container(container, warnings))
				return false;
		}
	}
	return true;
}
