/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunked bodies (RFC 9112 section 7.1), in two ways: exactly, by their sizes; and blindly,
 * when parts were skipped, by what the last bytes of a body look like.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_CHUNK_H
#define SIDELIGHT_PROTO_HTTP1_CHUNK_H

#include "proto/http1.h"

enum http1_chunk_result {
	HTTP1_CHUNK_MORE, /* all of it is body */
	HTTP1_CHUNK_DONE, /* the body ended after *ret_used bytes */
	HTTP1_CHUNK_BAD, /* exactly: no chunk size. Blindly: another message begins, the end was
			    missed */
};

/* A chunked body begins. */
void http1_chunk_begin(struct http1 *p);

enum http1_chunk_result http1_chunk_data(struct http1 *p, struct span data, size_t *ret_used);

/* len bytes passed unseen: true if they were all inside one chunk, so that its framing is
 * still known. */
bool http1_chunk_skip(struct http1 *p, uint64_t len);

/* From now on blindly; also called for every further skip. */
void http1_blind_skip(struct http1 *p);

enum http1_chunk_result http1_blind_data(struct http1 *p, struct span data, size_t *ret_used);

/* Was the newest byte of the body seen? */
bool http1_blind_is_seen(const struct http1 *p);
/*
 * The newest bytes are the end of a trailer section, or of a chunk that ends like one: trailers may
 * be longer than what is copied of the end of a write. The next message, or an orderly close,
 * tells.
 */
bool http1_blind_may_have_ended(const struct http1 *p);

#endif
