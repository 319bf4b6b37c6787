/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may see the page of `sidelight ui`. Other containers of a Pod, other users of a machine, and
 * every page that is open in the same browser can reach its port.
 *
 *     link with a token --- opened once ---> cookie of the session --- sent with each request
 *            ^                   |
 *            '--- new token -----'
 *
 * A token opens the page in one browser and is worthless then; the next one is for another browser.
 * All browsers share the session, which ends with the program.
 */
#ifndef SIDELIGHT_CMD_UI_ACCESS_H
#define SIDELIGHT_CMD_UI_ACCESS_H

#include <stdbool.h>

/* 128 random bits in hexadecimal digits. */
#define UI_SECRET_SIZE 33
/* "sidelight-" and eight digits: cookies of one host are shared by all of its ports. */
#define UI_COOKIE_SIZE 20

struct ui_access {
	char token[UI_SECRET_SIZE];
	char session[UI_SECRET_SIZE];
	char cookie[UI_COOKIE_SIZE]; /* its name */
};

/* What a request says about its sender; NULL: nothing. */
struct ui_visit {
	const char *host; /* Host */
	const char *fetch_site; /* Sec-Fetch-Site, which scripts cannot choose */
	const char *session; /* value of the cookie */
	const char *token;
	bool is_page; /* the page itself, to which other sites may link */
};

enum ui_admission {
	UI_WRONG_HOST, /* a name that somebody else's DNS answers with 127.0.0.1 */
	UI_REFUSED,
	UI_ADMITTED, /* it has the session */
	UI_ADMITTED_BY_TOKEN, /* which has to be renewed; only for the page itself */
};

/* Both return 0 or negative errno. */
int ui_access_init(struct ui_access *a);
int ui_access_renew_token(struct ui_access *a);

enum ui_admission ui_access_check(const struct ui_access *a, const struct ui_visit *v);

#endif
