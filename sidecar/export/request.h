/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a gateway after the other: what it carries, and what its
 * end means. Transfers are run by somebody else (client.h).
 *
 * The gateway may be hostile. Header fields of an answer (interim answers and trailers included)
 * are bounded by REQUEST_FIELDS_MAX bytes, and its body by REQUEST_BODY_MAX, unless it is read by
 * who asked: whichever is over ends the transfer. What never becomes a field or a body, the client
 * bounds.
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_H
#define SIDELIGHT_EXPORT_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "export/page.h"
#include "metrics/push_stats.h"

#define REQUEST_FIELDS_MAX 32768u
#define REQUEST_BODY_MAX   8192u

struct request;

/* Borrowed for the request's life. See push.h. */
struct request_options {
	const char *url;
	const char *ca;
	const char *cert;
	const char *key;
	const char *user_file;
	const char *token_file;
	const char *const *fields; /* more header fields, "Name: value", NULL behind the last */
};

struct push_outcome {
	enum push_result result;
	long status; /* 0: no answer */
	uint64_t retry_after_s; /* what the answer asks for; 0: nothing */
	bool is_cut; /* the function that read the answer wanted no more of it */
	char detail[320]; /* in a few words, printable; "" for PUSH_OK */
};

/* NULL: no memory. */
struct request *request_new(const struct request_options *options);
/* Its transfer must not run. Accepts NULL. */
void request_free(struct request *r);

/* The next part of an answer, borrowed. False: no more of it is wanted. */
typedef bool (*request_part_fn)(void *ctx, struct span part);

struct request_content {
	const char *method; /* static */
	struct page *body; /* taken, also when it cannot be tried; NULL: none is sent */
	enum page_coding coding; /* of the body, as is its type */
	const char *type;
	/* Gets the body of an answer of status 200; NULL: nobody wants it. The transfer that it
	 * ends has the outcome PUSH_OK, with is_cut. */
	request_part_fn part;
	void *ctx;
};

/*
 * Makes it a request for the URL of the options. What is returned is ready to be run; NULL with
 * *ret_outcome filled if it cannot be tried.
 */
CURL *request_prepare(struct request *r, const struct request_content *content, uint64_t timeout_ms,
		      struct push_outcome *ret_outcome);

struct request_read {
	const char *url; /* borrowed until the transfer ends */
	const char *accept; /* media types */
	bool takes_gzip; /* the answer may be compressed */
	request_part_fn part; /* gets the body of an answer of status 200 */
	void *ctx;
};

/* Makes it a GET. The rest as above. */
CURL *request_prepare_get(struct request *r, const struct request_read *read, uint64_t timeout_ms,
			  struct push_outcome *ret_outcome);

/* What the end of the transfer means. */
void request_outcome(struct request *r, CURLcode code, struct push_outcome *ret_outcome);

#endif
