/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): the header with which a
 * proxy names its client at the start of a connection.
 *
 * A push parser, for bytes cut into segments at any byte. It distinguishes a malformed header, upon
 * which servers close the connection, from bytes that are not a header.
 */
#ifndef SIDELIGHT_PROTO_PROXY_H
#define SIDELIGHT_PROTO_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/endpoint.h"

/* The longest line of version 1, CR LF included. The fixed part of version 2 is shorter. */
#define PROXY_BUFFER_MAX 107

enum proxy_result {
	PROXY_MORE, /* all bytes were used, the header is incomplete */
	PROXY_DONE, /* the header is complete */
	PROXY_NONE, /* not a header; no byte was used, and the buffered bytes belong to the owner */
	PROXY_BAD, /* a malformed header; otherwise as PROXY_NONE */
};

/* All zeros, it is at the first byte of the connection. */
struct proxy {
	uint32_t left; /* version 2: bytes of the header that are still to come */
	bool has_length; /* left is valid */
	uint8_t buffered;
	char bytes[PROXY_BUFFER_MAX];
};

/* Parses the next bytes; *ret_used of them belong to the header. */
enum proxy_result proxy_push(struct proxy *p, struct span data, size_t *ret_used);

/*
 * After PROXY_DONE: the client's address. Returns false if the header contains no IP address, or is
 * from the proxy itself (LOCAL).
 */
bool proxy_source(const struct proxy *p, struct endpoint *ret_source);

/*
 * The next len bytes were skipped or lost. Returns false if not all of them belong to the header.
 */
bool proxy_skip(struct proxy *p, uint32_t len);

#endif
