/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which URLs can be a Pushgateway's: one rule for those who inject a URL (the
 * webhook, and the policy without it) and for `sidelight run`, which gets it.
 *
 * The rule is a pattern, because the policy can evaluate nothing else; it
 * means the same as a POSIX extended expression and in CEL (RE2). It is
 * stricter than libcurl, so whatever matches can be pushed to:
 *
 *     http[s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH]
 *
 * HOST is a name, an IPv4 address or an IPv6 address in brackets, PORT is 1 to
 * 65535, other characters are written as %20. There is no query and no fragment, because
 * the path goes on with the names of the group. "$" is left out, because
 * Kubernetes replaces $(NAME) in values of the environment.
 */
#ifndef SIDELIGHT_BASE_PUSH_URL_H
#define SIDELIGHT_BASE_PUSH_URL_H

#include <stdbool.h>

#define PUSH_URL_BYTES_MAX 1024

/* RFC 3986: pchar without ":" and "@", sub-delims without "$" and "'". */
#define PUSH_URL_CHAR "([A-Za-z0-9._~!&()*+,;=-]|%[2-9A-Fa-f][0-9A-Fa-f])"
#define PUSH_URL_USER "(" PUSH_URL_CHAR "+(:(" PUSH_URL_CHAR "|:)*)?@)?"
#define PUSH_URL_NAME "[A-Za-z0-9]([A-Za-z0-9_-]|[.][A-Za-z0-9_])*[.]?"
#define PUSH_URL_HEX  "[0-9A-Fa-f]{1,4}"
#define PUSH_URL_IPV6                                                                              \
	"("                                                                                        \
	"(" PUSH_URL_HEX ":){7}" PUSH_URL_HEX "|(" PUSH_URL_HEX ":){1,7}:|"                        \
	"(" PUSH_URL_HEX ":){1,6}:" PUSH_URL_HEX "|"                                               \
	"(" PUSH_URL_HEX ":){1,5}(:" PUSH_URL_HEX "){1,2}|"                                        \
	"(" PUSH_URL_HEX ":){1,4}(:" PUSH_URL_HEX "){1,3}|"                                        \
	"(" PUSH_URL_HEX ":){1,3}(:" PUSH_URL_HEX "){1,4}|"                                        \
	"(" PUSH_URL_HEX ":){1,2}(:" PUSH_URL_HEX "){1,5}|"                                        \
	"" PUSH_URL_HEX ":(:" PUSH_URL_HEX "){1,6}|"                                               \
	":(:" PUSH_URL_HEX "){1,7}|::"                                                             \
	")"
#define PUSH_URL_PORT                                                                              \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define PUSH_URL_PATTERN                                                                           \
	"^[Hh][Tt][Tt][Pp][Ss]?://" PUSH_URL_USER "(" PUSH_URL_NAME "|\\[" PUSH_URL_IPV6 "\\])"    \
	"(:" PUSH_URL_PORT ")?(/(" PUSH_URL_CHAR "|[/:@])*)?$"

/* Completes: "x" is not ... */
#define PUSH_URL_WANTED "a URL that starts with http:// or https://, without query and fragment"

/* Also false when memory is short. */
bool push_url_is_valid(const char *url);

#endif
