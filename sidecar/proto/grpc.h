/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over HTTP/2 as a passive observer sees it: grpc.io's PROTOCOL-HTTP2.md, statuscodes.md and
 * http-grpc-status-mapping.md.
 */
#ifndef SIDELIGHT_PROTO_GRPC_H
#define SIDELIGHT_PROTO_GRPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
	GRPC_STATUS_MAX = 9999, /* larger values are malformed: GRPC_UNKNOWN */
	/* A status was sent, or may have been sent, that could not be decoded. */
	GRPC_STATUS_HIDDEN,
	GRPC_STATUS_NONE, /* no status was sent */
};

#define GRPC_STATUS_SIZE 8

/*
 * The name of a code (OK, NOT_FOUND, ...), the digits of an undefined code, "unknown" for
 * GRPC_STATUS_HIDDEN, "" for GRPC_STATUS_NONE. buf has GRPC_STATUS_SIZE bytes and is used for
 * digits only.
 */
const char *grpc_status_name(unsigned status, char *buf);
/* True if the code is an error of the server, not of the request (OpenTelemetry's conventions). */
bool grpc_is_server_error(unsigned status);

/* Parses the value of grpc-status. */
unsigned grpc_status_parse(struct span value);
/* The status of a response without grpc-status, from its HTTP status. */
unsigned grpc_status_of_http(unsigned status);
/* The status of a stream that the server reset, from the HTTP/2 error code. */
unsigned grpc_status_of_reset(uint32_t code);

/* True for application/grpc, application/grpc+proto and the like; not for grpc-web. */
bool grpc_is_content_type(struct span value);
bool grpc_is_web_content_type(struct span value);

/* Parses the value of grpc-timeout; 0 if it is malformed. */
uint64_t grpc_timeout_ns(struct span value);

/*
 * Counts the messages of one direction of a call. Each has a prefix of five bytes: a flag and the
 * length. All zeros: no message so far.
 */
struct grpc_messages {
	uint32_t count; /* messages whose prefix is complete */
	uint32_t left; /* bytes of the last message that are still to come */
	uint8_t head[4]; /* the length in an incomplete prefix, so far */
	uint8_t have; /* bytes of the incomplete prefix */
	bool is_lost; /* skipped bytes may contain prefixes */
	bool has_bytes; /* at least one message is not empty */
	bool is_other; /* the bytes are not gRPC messages */
};

void grpc_messages_data(struct grpc_messages *m, struct span data);
/* len bytes passed, but were not copied. */
void grpc_messages_skip(struct grpc_messages *m, uint64_t len);
/*
 * True if there was at least one message, and every byte belongs to a message. Several messages
 * that are all empty do not count: a body of zeros looks like that.
 */
bool grpc_messages_are_whole(const struct grpc_messages *m);

#endif
