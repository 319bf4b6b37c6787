/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings in the Huffman code of HPACK (RFC 7541 section 5.2 and appendix B).
 */
#ifndef SIDELIGHT_PROTO_HTTP2_HUFFMAN_H
#define SIDELIGHT_PROTO_HTTP2_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* The most that n bytes decode to: the shortest code has five bits. */
#define HTTP2_HUFFMAN_ROOM(n) ((size_t)(n)*8 / 5)

/*
 * Decodes into out, which has HTTP2_HUFFMAN_ROOM(code.len) bytes. False if it is none: it contains
 * the end-of-string symbol, or its padding has more than 7 bits or others than ones.
 */
bool http2_huffman_decode(struct span code, char *out, size_t *ret_len);

#endif
