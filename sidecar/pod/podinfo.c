/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/podinfo.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/cleanup.h"

/* n hex digits; -1: there are not as many. */
static int64_t hex(const char *at, int n)
{
	int64_t value = 0;

	for (int i = 0; i < n; i++) {
		const char *digits = "0123456789abcdef";
		const char *found = at[i] ? strchr(digits, at[i] | 0x20) : NULL;

		if (!found || at[i] < '0')
			return -1;
		value = value << 4 | (found - digits);
	}
	return value;
}

static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
		return to;
	}
	if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*to++ = (char)(0xe0 | code >> 12);
		} else {
			*to++ = (char)(0xf0 | code >> 18);
			*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (code & 0x3f));
	return to;
}

/* The character after a backslash; moves *at behind it. NULL: Go writes no such thing. Never
 * longer than its spelling, so that it fits in place. */
static char *unescape(char *to, const char **at)
{
	static const char names[] = "abfnrtv\\\"'";
	static const char values[] = "\a\b\f\n\r\t\v\\\"'";
	const char *from = *at;
	const char *name = *from ? strchr(names, *from) : NULL;
	int digits = *from == 'x' ? 2 : *from == 'u' ? 4 : *from == 'U' ? 8 : 0;
	int64_t code;

	if (name) {
		*to++ = values[name - names];
		*at = from + 1;
		return to;
	}
	code = digits ? hex(from + 1, digits) : -1;
	/* A string of ours ends at a zero; \x with more than ASCII is Go's sign for what is no
	 * UTF-8. */
	if (code <= 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
	    (digits == 2 && code > 0x7f))
		return NULL;
	*at = from + 1 + digits;
	return put_utf8(to, (uint32_t)code);
}

/* From the opening quote on; false: not one quoted string up to the end. */
static bool unquote(char *str)
{
	const char *at = str + 1;
	char *to = str;

	if (*str != '"')
		return false;
	while (*at && *at != '"') {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at++;
		to = unescape(to, &at);
		if (!to)
			return false;
	}
	if (at[0] != '"' || at[1])
		return false;
	*to = '\0';
	return true;
}

size_t podinfo_parse(char *text, podinfo_fn fn, void *ctx)
{
	size_t bad = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		char *next = text + len + (text[len] == '\n');
		char *equals;

		text[len] = '\0';
		equals = strchr(text, '=');
		if (equals && equals != text && unquote(equals + 1)) {
			*equals = '\0';
			fn(ctx, text, equals + 1);
		} else if (len) {
			bad++;
		}
		text = next;
	}
	return bad;
}

char *podinfo_read(const char *dir, const char *name)
{
	scoped_file FILE *file = NULL;
	char path[PATH_MAX];
	char *text;
	size_t len;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	file = fopen(path, "re");
	text = file ? malloc(PODINFO_FILE_MAX) : NULL;
	if (!text)
		return NULL;
	len = fread(text, 1, PODINFO_FILE_MAX, file);
	if (ferror(file) || len == PODINFO_FILE_MAX) {
		errno = len == PODINFO_FILE_MAX ? EFBIG : EIO;
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int podinfo_watch(const char *dir)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	/* The link comes by rename(2). A file written in place is no volume, but may be a test. */
	if (inotify_add_watch(fd, dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
		err = -errno;
		(void)close(fd); /* nothing was written */
		return err;
	}
	return fd;
}

void podinfo_seen(int fd)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}
