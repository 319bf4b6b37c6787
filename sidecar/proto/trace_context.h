/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace context of a request: the trace that it belongs to, and the span of its sender.
 *
 * It is read from `traceparent` (W3C Trace Context, section 3.2) or, without a valid one, from `b3`
 * or from X-B3-TraceId and X-B3-SpanId (B3 propagation of Zipkin). Identifiers are lower-case hex
 * and not all zeros, as both specifications demand; a field that comes twice is invalid.
 */
#ifndef SIDELIGHT_PROTO_TRACE_CONTEXT_H
#define SIDELIGHT_PROTO_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES  8

struct trace_context {
	uint8_t trace_id[TRACE_ID_BYTES]; /* one of 64 bits (B3) has eight zeros before it */
	uint8_t span_id[SPAN_ID_BYTES];
	bool is_sampled; /* the sender records it; false, too, if it leaves the decision open */
};

enum trace_field {
	TRACE_FIELD_NONE, /* any other field */
	TRACE_FIELD_TRACEPARENT,
	TRACE_FIELD_B3,
	TRACE_FIELD_B3_TRACE_ID,
	TRACE_FIELD_B3_SPAN_ID,
	TRACE_FIELD_B3_SAMPLED,
	TRACE_FIELD_B3_FLAGS,
};

/* By the name of a field, in any case. */
enum trace_field trace_field_find(struct span name);

/* Reads the fields of one request, in any order. */
struct trace_reader {
	uint8_t seen; /* bits by enum trace_field */
	uint8_t invalid; /* malformed, or seen twice */
	/* Valid as far as the fields that they come from were seen. */
	struct trace_context w3c;
	struct trace_context b3;
	struct trace_context b3_fields;
};

static inline void trace_reader_init(struct trace_reader *r)
{
	r->seen = r->invalid = 0;
}

/* The next field, without white space around its value. */
void trace_reader_add(struct trace_reader *r, enum trace_field field, struct span value);

/* Returns false, and leaves *ret unchanged, if the request has no valid trace context. */
bool trace_reader_end(const struct trace_reader *r, struct trace_context *ret);

/*
 * Reads an identifier of a trace as people write it: 32 or 16 hexadecimal digits in any case.
 * Returns false if it is none.
 */
bool trace_id_parse(struct span text, uint8_t ret_id[TRACE_ID_BYTES]);

#endif
