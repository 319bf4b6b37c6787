/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to the control socket of a running sidecar, whose answer is lines.
 */
#ifndef SIDELIGHT_CMD_CONTROL_CLIENT_H
#define SIDELIGHT_CMD_CONTROL_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

struct control_question {
	const char *command; /* what log lines begin with */
	const char *socket; /* path, or "@" and an abstract name; NULL: CONTROL_PATH */
	bool is_own; /* of a capture of our own, which says itself why it ends early */
	const char *path; /* with its parameters: control_parameter() */
	uint64_t for_ms; /* ends by itself after so long; 0: when the answer ends */
	/* One line without its end. False: enough. */
	bool (*line)(void *ctx, struct span line);
	/* Those that came together were handed out. False: enough. */
	bool (*pause)(void *ctx);
	/* Asked every second at least, and after signals; NULL: always false. True: enough. */
	bool (*is_over)(void *ctx);
	void *ctx;
};

/* Appends "?key=value", or "&key=value", encoded; NULL: nothing. */
void control_parameter(struct text *path, const char *key, const char *value);

/*
 * One question on its way, for those who wait for other things as well: its handle is to be added
 * to a CURLM. The strings of q are borrowed during the call, the rest as long as it lives. NULL: no
 * memory.
 */
struct control_call *control_call_new(const struct control_question *q);
/* Its handle is not in a CURLM any more. Accepts NULL. */
void control_call_free(struct control_call *c);
CURL *control_call_handle(struct control_call *c);
/* The sidecar has begun to answer, and has not refused. */
bool control_call_is_answered(struct control_call *c);
/* What the sidecar said in place of an answer, a line; "": nothing. Valid as long as the call. */
const char *control_call_refusal(const struct control_call *c);
/* It has ended with this code: logs and returns as control_ask(). */
int control_call_result(struct control_call *c, CURLcode code);

/*
 * Returns 0 when the answer has ended, was enough, or for_ms have passed; else, after one log
 * line, 1 if it broke off, and 2 if it did not begin.
 */
int control_ask(const struct control_question *q);

#endif
