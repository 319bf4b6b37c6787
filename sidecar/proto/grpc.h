/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over HTTP/2, as far as it can be told from the wire: grpc.io's PROTOCOL-HTTP2.md,
 * statuscodes.md and http-grpc-status-mapping.md.
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
	GRPC_STATUS_MAX = 9999, /* larger ones are taken for malformed: GRPC_UNKNOWN */
	GRPC_STATUS_HIDDEN, /* one came, or may have come, that we could not read */
	GRPC_STATUS_NONE, /* none came */
};

#define GRPC_STATUS_SIZE 8

/*
 * OK, NOT_FOUND, ..., the digits of other codes, "unknown" for GRPC_STATUS_HIDDEN, "" for
 * GRPC_STATUS_NONE. buf has GRPC_STATUS_SIZE bytes, and is used for digits only.
 */
const char *grpc_status_name(unsigned status, char *buf);
/* Is it an error of the server, not of what it was asked (OpenTelemetry's conventions)? */
bool grpc_is_server_error(unsigned status);

/* The value of grpc-status. */
unsigned grpc_status_parse(struct span value);
/* What stands for it where a response has none. */
unsigned grpc_status_of_http(unsigned status);
/* Likewise for a stream that the server reset with this code of HTTP/2. */
unsigned grpc_status_of_reset(uint32_t code);

/* application/grpc, +proto and the like; not grpc-web. */
bool grpc_is_content_type(struct span value);
bool grpc_is_web_content_type(struct span value);

/* The value of grpc-timeout, 0 if it is none. */
uint64_t grpc_timeout_ns(struct span value);

/*
 * The messages of one direction of one call: each has a prefix of five bytes, a flag and the
 * length. Zeroed, none was seen.
 */
struct grpc_messages {
	uint32_t count; /* whose prefix was seen */
	uint32_t left; /* bytes of the last one that are still to come */
	uint8_t head[4]; /* of a prefix, so far: its length */
	uint8_t have; /* bytes of the prefix */
	bool is_lost; /* messages may have begun among bytes that were not copied */
	bool has_bytes; /* one was not empty */
	bool is_other; /* these are no messages */
};

void grpc_messages_data(struct grpc_messages *m, struct span data);
/* len bytes passed uncopied. */
void grpc_messages_skip(struct grpc_messages *m, uint64_t len);
/*
 * There was at least one, and every byte belonged to one. Several that are all empty are none:
 * bodies of zeros look like that.
 */
bool grpc_messages_are_whole(const struct grpc_messages *m);

#endif
