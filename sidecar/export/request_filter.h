/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which recorded requests somebody wants to see. All conditions that are set must hold; a
 * condition with several words, separated by commas, holds if one of them does. The program that
 * asks and the sidecar that answers read the same words.
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_FILTER_H
#define SIDELIGHT_EXPORT_REQUEST_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "metrics/recorder.h"

#define FILTER_STATUSES_MAX 16

/* Zeroed, it lets everything through. */
struct request_filter {
	uint64_t last_ms; /* ended no longer ago than this; 0: at any time */
	uint64_t min_duration_ms;
	uint64_t process; /* that wrote the response, or the request; 0: any, as the next */
	uint64_t thread;
	uint64_t count; /* so many requests, the last ones; 0: all */
	/* Borrowed; NULL: any. A * stands for any characters. */
	const char *route;
	const char *method; /* as on the wire, in any case; GRPC for its calls */
	const char *peer; /* an address, or an address with a port */
	const char *container;
	bool has_trace_id; /* trace_id is wanted */
	uint8_t trace_id[TRACE_ID_BYTES];
	const char *header; /* words NAME=VALUE, or NAME for any value */
	bool wants_errors; /* also those that have an error of any kind */
	bool wants_unanswered; /* also those that got no status */
	size_t status_count;
	struct {
		uint16_t low; /* of HTTP, or of gRPC */
		uint16_t high;
		bool is_grpc;
	} status[FILTER_STATUSES_MAX];
};

/*
 * Sets the condition `key` ("last", "status", "min-duration", "route", "method", "peer", "process",
 * "thread", "container", "trace-id", "header", "count"); value is borrowed. Returns 0, -ENOENT if
 * there is no such condition, or -EINVAL after adding a line to error, without a line end.
 */
int request_filter_set(struct request_filter *f, const char *key, const char *value,
		       struct text *error);

/* container: the name of the record's; since_ns: on the clock of the records, 0: any time. */
bool request_filter_matches(const struct request_filter *f, const struct record *e,
			    const char *container, uint64_t since_ns);

/* The condition "header", which the other function does not look at. h: of the record; may be NULL.
 */
bool request_filter_has_header(const struct request_filter *f, const struct headers *h);

/* The names of the condition "header" as a list of base/word_list.h; to be freed. NULL: no memory.
 */
char *request_filter_header_names(const struct request_filter *f);

#endif
