/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of pairs as the environment variables of OpenTelemetry have them: "key=value,key=value",
 * by the rules of W3C Baggage without properties. Blanks around keys and values do not count, and
 * values are percent-decoded.
 */
#ifndef SIDELIGHT_BASE_PAIRS_H
#define SIDELIGHT_BASE_PAIRS_H

#include <stddef.h>

#define PAIRS_MAX	64
#define PAIRS_BYTES_MAX 8192

struct pair {
	const char *key; /* not empty; visible ASCII characters */
	const char *value; /* without control characters; any other bytes */
};

/* All owned. */
struct pairs {
	struct pair *list;
	size_t count;
	char *text; /* what the pairs point to */
};

/*
 * Returns 0, -ENOMEM, or -EINVAL if the list is malformed or over one of the limits: then
 * *ret_pairs has no pair. A key that is there twice has its last value.
 */
int pairs_parse(struct pairs *ret_pairs, const char *list);
/* Overwrites the values, which may be secret. Accepts a zeroed struct. */
void pairs_release(struct pairs *p);

/* NULL: there is no such key. */
const char *pairs_find(const struct pairs *p, const char *key);

#endif
