/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parsed heads of requests and responses, in the terms of RFC 9110. Every span is borrowed from
 * the parser for the duration of the callback.
 */
#ifndef SIDELIGHT_PROTO_MESSAGE_H
#define SIDELIGHT_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* Reasons for which bytes could not be parsed; each has a counter. */
enum parse_fail {
	PARSE_FAIL_START_LINE, /* no start line where a message must start */
	PARSE_FAIL_FIELD, /* a NUL byte in a head; no real server accepts it */
	/*
	 * Content-Length is not a number, its values differ, or the Transfer-Encoding of a request
	 * does not end in chunked
	 */
	PARSE_FAIL_LENGTH,
	PARSE_FAIL_CHUNK, /* a chunk size is not a number */
	PARSE_FAIL_LOST, /* bytes of a head or of the framing are missing */
	/*
	 * HTTP/1: the head exceeds HTTP1_HEAD_MAX; it is reported truncated. HTTP/2: the header
	 * block exceeds HTTP2_BLOCK_MAX; it is reported with all fields unknown
	 */
	PARSE_FAIL_HEAD_TOO_LARGE,
	PARSE_FAIL_FRAME, /* HTTP/2: no frame, or one that RFC 9113 does not allow here */
	PARSE_FAIL_BLOCK, /* HTTP/2: a header block that cannot be decoded */
	PARSE_FAIL_MEMORY, /* no memory for a head, a header block or a header table */
	PARSE_FAIL_MAX,
};

struct active;

/*
 * The attributes (in the sense of OpenTelemetry) that the owner of the parsers derives from the
 * head of an HTTP/1 request. The parser's cache stores them beside the head, so that a head which
 * repeats byte by byte is not classified again. The cache drops them at any time.
 */
struct http1_attributes {
	/*
	 * Number of the owner and of its route templates when this was filled in, and the
	 * connection's role; unique in the process. 0: not filled in.
	 */
	uint64_t generation;
	struct active *active; /* borrowed from the owner */
	const char *known_method;
	const char *route;
	bool is_head;
	bool is_connect;
	bool is_probe;
	bool is_grpc_web;
	uint8_t candidates; /* bits defined by the owner */
};

struct message {
	bool is_response;
	enum http_version version;
	uint64_t time_ns; /* when the first byte of the head was seen */
	/* request */
	struct span method;
	struct span target; /* as on the wire: origin, absolute, authority or asterisk form */
	struct span host; /* Host, or the authority of an absolute-form target */
	struct span user_agent;
	bool expects_continue;
	/* Some of the next three are set: http1_trace_context.h reads them. */
	bool has_trace_fields;
	bool has_b3_fields; /* X-B3-TraceId or X-B3-SpanId is among the fields */
	struct span traceparent; /* empty, with a pointer: it came twice */
	struct span b3; /* the same */
	/* response */
	uint16_t status; /* 100 to 999 */
	/* both */
	struct span content_type;
	struct span fields; /* all field lines as on the wire, without the start line */
	/* Stored with the cached head; NULL: the head is not cached. */
	struct http1_attributes *attributes;
	bool is_truncated; /* the head exceeds the limit: fields are incomplete */
};

#endif
