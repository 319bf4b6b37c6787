/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, versions 1 and 2: the header that a proxy sends before the first byte of a
 * connection, to name the client that it speaks for (haproxy's proxy-protocol.txt).
 *
 * A push parser: takes the first bytes of a connection in any cutting. A malformed header is told
 * apart from bytes that are no header at all, since servers end a connection with the former.
 */
#ifndef SIDELIGHT_PROTO_PROXY_H
#define SIDELIGHT_PROTO_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/endpoint.h"

/* The longest line of version 1, CR LF included. It exceeds what version 2 has before its TLVs. */
#define PROXY_KEPT_MAX 107

enum proxy_result {
	PROXY_MORE, /* all bytes were used: the header goes on */
	PROXY_DONE, /* it has ended */
	PROXY_NONE, /* no header: nothing was used, and the kept bytes are the owner's */
	PROXY_BAD, /* a header of which servers make nothing: likewise */
};

/* Zeroed, it is at the first byte of the connection. */
struct proxy {
	uint32_t left; /* version 2: bytes of the header behind the kept ones */
	bool is_counted; /* left is valid */
	uint8_t kept;
	char bytes[PROXY_KEPT_MAX];
};

/* *ret_used bytes of data belong to the header. */
enum proxy_result proxy_push(struct proxy *p, struct span data, size_t *ret_used);

/* After PROXY_DONE: false if the header names no client with an IP address, or nobody but itself.
 */
bool proxy_source(const struct proxy *p, struct endpoint *ret_source);

/* The next len bytes were missed. False: what was missed may not all be of the header. */
bool proxy_miss(struct proxy *p, uint32_t len);

#endif
