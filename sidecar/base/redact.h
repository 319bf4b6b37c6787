/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets and header fields without the secrets in them.
 *
 *     /users?page=2&token=abc         becomes  /users?page=2&token=***
 *     /app;jsessionid=1A2B?x=1        becomes  /app;jsessionid=***?x=1
 *     /go?to=https%3A%2F%2Fa%3Ab%40c  becomes  /go?to=***
 *     joe:pw@example.com:443          becomes  ***@example.com:443
 *
 * A parameter is a secret by its name (in any case, also percent-encoded up to three times), by
 * its value (the form of JWTs, keys of large providers, long random words), or if another
 * parameter or URL with a secret is inside. Too much is rather redacted than too little. Segments
 * of a path that are no parameters stay.
 */
#ifndef SIDELIGHT_BASE_REDACT_H
#define SIDELIGHT_BASE_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

#define REDACTED "***"

/* How many bytes may be read behind a text. */
#define REDACT_PADDING 16

/*
 * Whether redact_target() could change anything: there is one of `: ; < = > ? @` or `%`. The first
 * REDACT_PADDING bytes behind the text must be readable, and zero.
 */
static inline bool redact_may_change(const char *text, size_t len)
{
	typedef uint8_t bytes __attribute__((vector_size(16)));
	bytes found = {0};
	uint64_t halves[2];

	for (size_t i = 0; i < len; i += sizeof(bytes)) {
		bytes c;

		memcpy(&c, text + i, sizeof(c));
		found |= (bytes)(c - ':' <= '@' - ':') | (bytes)(c == '%');
	}
	memcpy(halves, &found, sizeof(halves));
	return halves[0] | halves[1];
}

/* Longer targets are cut. */
#define REDACT_TARGET_MAX 1024

/*
 * Writes the target as it may be shown, cut to size bytes. Returns how many bytes it wrote;
 * *ret_cut: not everything had room.
 */
size_t redact_target(struct span target, char *out, size_t size, bool *ret_cut);

/*
 * Header fields of HTTP, metadata of gRPC. A field is a secret by its name: credentials, cookies,
 * keys and tokens, whatever the value is.
 */
bool redact_is_secret_header(struct span name);

/*
 * Writes the value of a header field as it may be shown, as redact_target() does: "***" if the name
 * or the form of a part of the value is a secret's. A value that is one URL, path or authority is
 * redacted as a target.
 */
size_t redact_header(struct span name, struct span value, char *out, size_t size, bool *ret_cut);

#endif
