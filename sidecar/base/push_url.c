/* SPDX-License-Identifier: Apache-2.0 */
#include "base/push_url.h"

#include <regex.h>
#include <stddef.h>
#include <string.h>

bool push_url_is_valid(const char *url)
{
	static regex_t pattern;
	static bool is_compiled;

	is_compiled =
		is_compiled || regcomp(&pattern, PUSH_URL_PATTERN, REG_EXTENDED | REG_NOSUB) == 0;
	return is_compiled && strnlen(url, PUSH_URL_BYTES_MAX + 1) <= PUSH_URL_BYTES_MAX &&
	       regexec(&pattern, url, 0, NULL, 0) == 0;
}
