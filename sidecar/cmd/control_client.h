/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to the control socket of a running sidecar, whose answer is lines.
 */
#ifndef SIDELIGHT_CMD_CONTROL_CLIENT_H
#define SIDELIGHT_CMD_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

struct control_question {
	const char *command; /* what log lines begin with */
	const char *socket; /* path; NULL: CONTROL_PATH */
	const char *path; /* with its parameters: control_parameter() */
	uint64_t for_ms; /* ends by itself after so long; 0: when the answer ends */
	/* One line without its end. False: enough. */
	bool (*line)(void *ctx, struct span line);
	/* Those that came together were handed out. False: enough. */
	bool (*pause)(void *ctx);
	void *ctx;
};

/* Appends "?key=value", or "&key=value", encoded; NULL: nothing. */
void control_parameter(struct text *path, const char *key, const char *value);

/*
 * Returns 0 when the answer has ended, was enough, or for_ms have passed; else, after one log
 * line, 1 if it broke off, and 2 if it did not begin.
 */
int control_ask(const struct control_question *q);

#endif
