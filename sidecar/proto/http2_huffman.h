/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes strings in the Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). */
#ifndef SIDELIGHT_PROTO_HTTP2_HUFFMAN_H
#define SIDELIGHT_PROTO_HTTP2_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* The maximum length of n decoded bytes: the shortest code has five bits. */
#define HTTP2_HUFFMAN_ROOM(n) ((size_t)(n)*8 / 5)

/*
 * Decodes into out, which has room for HTTP2_HUFFMAN_ROOM(code.len) bytes. Returns false if the
 * string is malformed: it contains the end-of-string symbol, or its padding exceeds 7 bits or has a
 * zero bit.
 */
bool http2_huffman_decode(struct span code, char *out, size_t *ret_len);

#endif
