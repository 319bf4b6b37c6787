/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a protocol parser understands: heads of requests and responses. The
 * words are those of RFC 9110. Spans are borrowed during the callback.
 */
#ifndef SIDELIGHT_PROTO_MESSAGE_H
#define SIDELIGHT_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* Why bytes could not be understood; each has a counter. */
enum parse_fail {
	PARSE_FAIL_START_LINE, /* not a start line where a message must start */
	PARSE_FAIL_FIELD, /* a NUL byte in a head: no real server takes it */
	PARSE_FAIL_LENGTH, /* Content-Length that is no number, or several that differ, or a
			    * request's Transfer-Encoding that does not end in chunked */
	PARSE_FAIL_CHUNK, /* chunk size that is no number */
	PARSE_FAIL_LOST, /* bytes of a head or of chunked framing are missing */
	PARSE_FAIL_HEAD_TOO_LARGE, /* head over HTTP1_HEAD_MAX or HTTP2_BLOCK_MAX: reported with
				    * what is known */
	PARSE_FAIL_FRAME, /* HTTP/2: no frame where one must be, or not in this order */
	PARSE_FAIL_BLOCK, /* HTTP/2: a header block that cannot be decoded */
	PARSE_FAIL_MEMORY, /* HTTP/2: no memory for a header block or table */
	PARSE_FAIL_MAX,
};

struct active;

/*
 * What its owner made of a head that repeats byte by byte. A parser that
 * remembers heads hands out the same note with the same bytes; it forgets
 * notes at any time.
 */
struct message_note {
	uint64_t owner; /* a number that no other owner has; 0: nothing noted */
	struct active *active; /* the owner's */
	const char *known_method;
	const char *route;
	bool is_head;
	bool is_connect;
	bool is_probe;
	bool is_grpc_web;
	uint8_t candidates; /* the owner's */
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
	/* response */
	uint16_t status; /* 100 to 999 */
	/* both */
	struct span content_type;
	struct span fields; /* all field lines as on the wire, without the start line */
	bool has_upgrade; /* Connection: upgrade */
	struct message_note *note; /* NULL: the parser does not remember this one */
	bool is_cut; /* the head was over the limit: fields are not complete */
};

#endif
