/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses chunked bodies (RFC 9112 section 7.1) in two ways: with known framing, by the chunk sizes;
 * and after a skip that hid chunk sizes (state UNFRAMED), by searching for the last chunk at the
 * end of a segment.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_CHUNK_H
#define SIDELIGHT_PROTO_HTTP1_CHUNK_H

#include "proto/http1.h"

enum http1_chunk_result {
	HTTP1_CHUNK_MORE, /* all bytes belong to the body */
	HTTP1_CHUNK_DONE, /* the body ends after *ret_used bytes */
	HTTP1_CHUNK_BAD, /* known framing: no chunk size. Unframed: another message begins */
};

/* Resets the state for the first chunk of a body. */
void http1_chunk_begin(struct http1 *p);

/* *ret_trailers is where the trailer section begins in data; *ret_used: not in it, or empty. */
enum http1_chunk_result http1_chunk_data(struct http1 *p, struct span data, size_t *ret_used,
					 size_t *ret_trailers);

/*
 * Skips len bytes. Returns true if all of them are inside one chunk, so that its framing stays
 * known.
 */
bool http1_chunk_skip(struct http1 *p, uint64_t len);

/* Bytes of data that follow in the current chunk. */
uint64_t http1_chunk_left(const struct http1 *p);

/* Bytes were skipped and the framing is lost. Called for the first and for each further skip. */
void http1_unframed_skip(struct http1 *p);

/* *ret_trailers as above, once the body has ended; SIZE_MAX: it begins before data. */
enum http1_chunk_result http1_unframed_data(struct http1 *p, struct span data, size_t *ret_used,
					    size_t *ret_trailers);

/* True if the newest byte of the body was copied, not skipped. */
bool http1_unframed_saw_last_byte(const struct http1 *p);
/*
 * True if the newest bytes may end a trailer section, of which the source may have skipped the
 * beginning. Data of a chunk can look the same; the next message or an orderly close confirms it.
 */
bool http1_unframed_may_have_ended(const struct http1 *p);

#endif
