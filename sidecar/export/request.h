/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a gateway after the other: what it carries, and what its
 * end means. Transfers are run by somebody else (client.h).
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_H
#define SIDELIGHT_EXPORT_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/push_stats.h"

struct request;

/* Borrowed for the request's life. See push.h. */
struct request_options {
	const char *url; /* of the group */
	const char *ca;
	const char *cert;
	const char *key;
	const char *user_file;
	const char *token_file;
};

struct outcome {
	enum push_result result;
	long status; /* 0: no answer */
	char detail[320]; /* in a few words, printable; "" for PUSH_OK */
};

/* NULL: no memory. */
struct request *request_new(const struct request_options *options);
/* Its transfer must not run. Accepts NULL. */
void request_free(struct request *r);

/*
 * Makes it a PUT of this body, which is taken (malloc'ed), or a DELETE if
 * body is NULL. The answer is ready to be run; NULL with *ret_outcome filled
 * if it cannot be tried.
 */
CURL *request_prepare(struct request *r, char *body, size_t len, bool is_gzip, uint64_t timeout_ms,
		      struct outcome *ret_outcome);

/* What the end of the transfer means. */
void request_outcome(struct request *r, CURLcode code, struct outcome *ret_outcome);

#endif
