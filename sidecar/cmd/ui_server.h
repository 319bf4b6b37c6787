/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server of `sidelight ui`, for browsers that ui_access.h admits. Each is a GET:
 *
 *     /                    the page, and its files (ui_assets.h)
 *     /api/windows?from=N  windows of /routes with durations, of the last 15 minutes: ui_lines.h
 *     /api/past?from=N     requests that were recorded before the first of them, likewise
 *     /api/requests?...    asks the sidecar for /requests, with the same parameters but follow;
 *                          capture=1: header fields are to be captured
 *     /api/syscalls        asks the sidecar for /syscalls
 *     /api/settings        asks the sidecar for /settings
 *
 * What the sidecar refuses ends in a line {"ok":false,"error":"..."}. Nothing but 403 and a line of
 * text is for those who are not admitted. Connections, questions to the sidecar, and the memory of
 * each answer are bounded.
 */
#ifndef SIDELIGHT_CMD_UI_SERVER_H
#define SIDELIGHT_CMD_UI_SERVER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "cmd/ui_lines.h"

struct ui_server;

/* All of it is borrowed. */
struct ui_server_options {
	uint16_t port; /* of 127.0.0.1; 0: any that is free */
	const char *socket; /* of the sidecar: see struct control_question */
	CURLM *multi; /* runs the questions */
	const struct ui_lines *windows;
	const struct ui_lines *past;
	/* There is a link that has not been opened yet. */
	void (*link)(void *ctx, const char *url);
	void *ctx;
};

/* NULL: *ret_error says why in a few words; valid until the next call of anything. */
struct ui_server *ui_server_new(uv_loop_t *loop, const struct ui_server_options *options,
				const char **ret_error);
/* Ends all connections. Memory goes when the loop has run. Accepts NULL. */
void ui_server_close(struct ui_server *s);

/* Calls link() with the first link. */
void ui_server_show_link(struct ui_server *s);

/* A transfer of multi has ended, of which it may be the owner. */
void ui_server_ended(struct ui_server *s, CURL *easy, CURLcode code);
/* Lets answers go on after transfers did. */
void ui_server_flush(struct ui_server *s);

/* A browser wants header fields to be captured, and has not been gone for long. */
bool ui_server_wants_headers(const struct ui_server *s);

/* When an admitted browser asked last, in milliseconds of the loop's clock. */
uint64_t ui_server_asked_ms(const struct ui_server *s);

#endif
