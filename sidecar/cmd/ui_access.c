/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui_access.h"

#include <errno.h>
#include <nettle/memops.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int make_secret(char secret[UI_SECRET_SIZE])
{
	uint8_t bytes[(UI_SECRET_SIZE - 1) / 2];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);

	if (n != (ssize_t)sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(secret + 2 * i, 3, "%02x", bytes[i]); /* has room */
	return 0;
}

int ui_access_renew_token(struct ui_access *a)
{
	return make_secret(a->token);
}

int ui_access_init(struct ui_access *a)
{
	char name[UI_SECRET_SIZE];
	int err = make_secret(name);

	if (!err)
		err = make_secret(a->session);
	if (!err)
		err = make_secret(a->token);
	if (!err)
		(void)snprintf(a->cookie, sizeof(a->cookie), "sidelight-%.8s", name);
	return err;
}

/* Takes the same time for each secret that is wrong. */
static bool is_secret(const char *secret, const char *given)
{
	return given && strlen(given) == UI_SECRET_SIZE - 1 &&
	       memeql_sec(secret, given, UI_SECRET_SIZE - 1);
}

/* Port 0 to 65535 in digits, or nothing: a port may be forwarded from any other. */
static bool is_port(const char *s)
{
	return *s == '\0' || (*s == ':' && s[1] && strspn(s + 1, "0123456789") == strlen(s + 1));
}

static bool is_own_host(const char *host)
{
	static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

	for (size_t i = 0; host && i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(host, names[i], len) == 0 && is_port(host + len))
			return true;
	}
	return false;
}

/* Not from another page; clients that are no browsers say nothing. */
static bool is_own_fetch(const char *site)
{
	return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

enum ui_admission ui_access_check(const struct ui_access *a, const struct ui_visit *v)
{
	if (!is_own_host(v->host))
		return UI_WRONG_HOST;
	if (!v->is_page && !is_own_fetch(v->fetch_site))
		return UI_REFUSED;
	if (is_secret(a->session, v->session))
		return UI_ADMITTED;
	return v->is_page && is_secret(a->token, v->token) ? UI_ADMITTED_BY_TOKEN : UI_REFUSED;
}
