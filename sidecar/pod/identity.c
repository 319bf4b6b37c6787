/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/identity.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Length of the character at s, 0 if it is none (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		uint8_t mask;
		uint8_t lead;
		/*
		 * Shorter forms exist below it; and U+0080 to U+009F are control characters, of
		 * which U+009B drives a terminal as ESC [ does.
		 */
		uint32_t least;
	} forms[] = {{0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint32_t code = s[0] & ~forms[i].mask & 0xffu;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k < i + 2; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[k] & 0x3f);
		}
		if (code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		return i + 2;
	}
	return 0;
}

static void set(char *value, const char *word)
{
	const unsigned char *from = (const unsigned char *)(word ? word : "");
	size_t len = 0;

	while (*from) {
		size_t n = utf8_length(from);

		if (len + (n ? n : 1) >= IDENTITY_VALUE_MAX)
			break;
		if (n)
			memcpy(value + len, from, n);
		else
			value[len] = '_';
		len += n ? n : 1;
		from += n ? n : 1;
	}
	value[len] = '\0';
}

void identity_clean(char ret_value[IDENTITY_VALUE_MAX], const char *value)
{
	set(ret_value, value);
}

static bool is_said(const char *word)
{
	return word && *word;
}

void identity_init(struct identity *id, const struct identity_words *words)
{
	char host[IDENTITY_VALUE_MAX] = "";

	set(id->job, is_said(words->job)	? words->job
		     : is_said(words->workload) ? words->workload
						: "sidelight");
	set(id->namespace, words->namespace);
	set(id->pod, words->pod);
	set(id->node, words->node);
	set(id->workload, words->workload);
	if (!is_said(words->pod) && gethostname(host, sizeof(host) - 1))
		host[0] = '\0';
	set(id->instance, host);
}
