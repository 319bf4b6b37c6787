/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads seen lately, and what they parsed to. Clients that keep a connection repeat their
 * requests byte by byte, and servers their responses until the clock of the Date field ticks:
 * comparing a head with the last one like it costs a sixth of parsing it.
 *
 * Nothing is remembered but what http1_head_parse() answers to the same bytes. One memory for each
 * thread, of a fixed size.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_MEMO_H
#define SIDELIGHT_PROTO_HTTP1_MEMO_H

#include <stdint.h>

#include "proto/http1_head.h"

/*
 * The head at the beginning of data, if it is whole there and not too long to be remembered. Its
 * spans point to a copy of the bytes, and live until the next call; m.time_ns is the caller's to
 * set. NULL says nothing about data: http1_head_parse() it.
 */
struct http1_head *http1_memo_head(struct span data, bool is_response);

/*
 * The same, but only a head that was seen before. *place is where to look first, and where it was
 * found: of one direction of a connection, at first 0.
 */
struct http1_head *http1_memo_find(struct span data, bool is_response, uint8_t *place);

#endif
