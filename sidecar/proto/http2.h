/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push parser for one direction of an HTTP/2 connection (RFC 9113): bytes in sequence order in;
 * header blocks, bodies and resets of streams out.
 *
 * Like that of HTTP/1 it is told of bytes that were not copied (skip): the payload of DATA, and
 * whole frames that concern no stream. And of bytes that never came (lost): inside of a frame
 * whose length is known they cost that frame only.
 *
 * States, and what leaves them:
 *
 *   PREFACE   the client's first 24 bytes                   -> FRAME
 *   FRAME     a frame header begins, or its first bytes     -> any of those below
 *             are in `bytes`
 *   BLOCK     payload of HEADERS, PUSH_PROMISE,             -> FRAME
 *             CONTINUATION that goes on
 *   PADDING   the next byte of DATA says how much of it is  -> BODY
 *   BODY      payload of DATA                               -> PASS, FRAME
 *   SMALL     payload of RST_STREAM, collected in `bytes`   -> FRAME
 *   PASS      payload that is of no use                     -> FRAME
 *   SYNC      place lost: see http2_sync.h                  -> FRAME
 *
 * All go to SYNC when bytes beyond the frame at hand are lost, or make no sense.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_H
#define SIDELIGHT_PROTO_HTTP2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/http2_frame.h"
#include "proto/http2_head.h"
#include "proto/http2_sync.h"
#include "proto/message.h"

/* Wire bytes of one header block, with all its CONTINUATION frames: 64 KiB of metadata, and room
 * for what usually stands beside them. */
#define HTTP2_BLOCK_MAX (80u << 10)

/* In which direction something came, and when its first and its last byte did. */
struct http2_arrival {
	uint64_t first_ns;
	uint64_t last_ns;
	bool is_response;
};

struct http2_sink {
	/*
	 * A header block of a stream is complete; pushed ones are not told of. is_end: the
	 * direction of the stream ends with it.
	 */
	void (*head)(void *ctx, const struct http2_arrival *at, uint32_t stream,
		     const struct http2_head *head, bool is_end);
	/*
	 * Bytes of a body; ptr NULL: len bytes that were not copied. is_end: the direction of the
	 * stream ends with them (there may be none).
	 */
	void (*body)(void *ctx, const struct http2_arrival *at, uint32_t stream, struct span body,
		     bool is_end);
	/* The direction of the stream has ended with bytes that were lost: nobody knows when. */
	void (*lost_end)(void *ctx, const struct http2_arrival *at, uint32_t stream);
	void (*reset)(void *ctx, const struct http2_arrival *at, uint32_t stream, uint32_t code);
	/*
	 * PARSE_FAIL_LOST, PARSE_FAIL_FRAME: the place is lost, frames were missed. Others are news
	 * of one header block, which head() tells of all the same, as far as its frame was seen.
	 */
	void (*fail)(void *ctx, const struct http2_arrival *at, enum parse_fail why);
};

struct http2_block;

/* Zeroed with `memory` set, it is at the start of the frames of the client or server. */
struct http2 {
	struct http2_arrival at; /* of the frame at hand, and of the newest byte */
	uint8_t state;
	bool has_skipped; /* frames, if the next piece starts with one */
	bool has_begun; /* the newest piece starts with the frame where the place was found */
	uint8_t have; /* bytes in `bytes`; PREFACE: bytes that matched */
	uint8_t bytes[HTTP2_FRAME_HEAD];
	const uint64_t *generation; /* see http2_head.h */
	struct http2_frame frame; /* whose payload passes */
	uint32_t left; /* bytes of it to come */
	uint32_t pad; /* BODY: the last bytes of those are padding */
	struct http2_sync sync;
	struct http2_memory *memory; /* borrowed */
	struct http2_block *block; /* owned: a header block that has not ended */
	struct http2_heads *heads; /* owned; NULL: no block yet, and none was missed */
};

void http2_init(struct http2 *p, bool is_response, struct http2_memory *memory);
void http2_release(struct http2 *p);

/* Of a client: the connection's preface comes first; `seen` bytes of it are known already. */
void http2_preface(struct http2 *p, unsigned seen);
/* The direction is older than what is seen of it. */
void http2_join(struct http2 *p);

/* What the start of a piece is. */
enum http2_start {
	HTTP2_START_ANY, /* nobody can say */
	HTTP2_START_FRAME, /* a frame, or the preface, says who knows */
	HTTP2_START_UNTOLD, /* who may know does not say that it is a frame */
};

/* The next bytes of the direction, seen at time_ns; not empty. */
void http2_data(struct http2 *p, struct span data, enum http2_start start, uint64_t time_ns,
		const struct http2_sink *sink, void *ctx);
/* The next len bytes passed, but were not copied. */
void http2_skip(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx);
/* The next len bytes are missing for good. */
void http2_lost(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx);

/* Waits for a place where frames begin. */
bool http2_is_lost(const struct http2 *p);
/* Was it found with the newest piece, at its first byte? */
static inline bool http2_has_begun(const struct http2 *p)
{
	return p->has_begun;
}
/*
 * How many bytes from the newest one on the next frame starts. False if that is not known: the
 * place is lost, or a frame header has begun and not ended.
 */
bool http2_next_frame(const struct http2 *p, uint32_t *ret_ahead);

#endif
