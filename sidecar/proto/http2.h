/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push parser for one direction of an HTTP/2 connection (RFC 9113).
 *
 * Input: the bytes of the direction in sequence order, cut into segments at any byte, and reports
 * of bytes that were skipped (not copied: payload of DATA, and whole frames of stream 0) or lost.
 * Lost bytes inside of a frame of known length affect that frame only. Output: header blocks,
 * bodies and resets of streams. Decoding uses static buffers, so all parsers belong to one thread.
 *
 * States and transitions:
 *
 *   PREFACE   the client's first 24 bytes                   -> FRAME
 *   FRAME     expects a frame header, or its first bytes    -> any of those below
 *             are in `bytes`
 *   BLOCK     payload of HEADERS, PUSH_PROMISE or           -> FRAME
 *             CONTINUATION that is incomplete
 *   PADDING   the next byte of DATA is the pad length       -> BODY
 *   BODY      payload of DATA                               -> IGNORE, FRAME
 *   RESET     payload of RST_STREAM, collected in `bytes`   -> FRAME
 *   IGNORE    payload that is not parsed                    -> FRAME
 *   SYNC      out of sync: see http2_sync.h                 -> FRAME
 *
 * All states go to SYNC when bytes beyond the current frame are lost, or are malformed.
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

/*
 * The longest header block on the wire, CONTINUATION frames included: 64 KiB of metadata, and 16
 * KiB for the fields that usually accompany it.
 */
#define HTTP2_BLOCK_MAX (80u << 10)

/* The direction of an event, and the times of its first and its last byte. */
struct http2_arrival {
	uint64_t first_ns;
	uint64_t last_ns;
	bool is_response;
	uint16_t weight; /* head(): of the priority in HEADERS, from 1 to 256; 0: it has none */
};

struct http2_sink {
	/*
	 * A header block of a stream is complete. Blocks of PUSH_PROMISE are not reported. is_end:
	 * the block carries END_STREAM.
	 */
	void (*head)(void *ctx, const struct http2_arrival *at, uint32_t stream,
		     const struct http2_head *head, bool is_end);
	/*
	 * Bytes of a body; ptr NULL: len bytes that were not copied. is_end: they carry END_STREAM
	 * (body may be empty).
	 */
	void (*body)(void *ctx, const struct http2_arrival *at, uint32_t stream, struct span body,
		     bool is_end);
	/* The stream's direction has ended with lost bytes, so the time of its end is not known. */
	void (*lost_end)(void *ctx, const struct http2_arrival *at, uint32_t stream);
	void (*reset)(void *ctx, const struct http2_arrival *at, uint32_t stream, uint32_t code);
	/*
	 * Bytes could not be parsed. The parser may be out of sync: then frames are missed, see
	 * http2_is_out_of_sync(). If it is not, the failure concerns one header block only, and
	 * head() follows for it with all fields unknown (except for PUSH_PROMISE).
	 */
	void (*fail)(void *ctx, const struct http2_arrival *at, enum parse_fail why);
};

struct http2_block;

/* All zeros but for `memory`, it expects the first frame of the direction. */
struct http2 {
	struct http2_arrival at; /* of the current frame, and of the newest byte */
	uint8_t state; /* enum http2_state of http2.c */
	/*
	 * Bytes were skipped at a frame boundary. The next segment has to start with a frame: else
	 * the parser is out of sync.
	 */
	bool has_skipped;
	/* The parser found a frame at the first byte of the newest segment, and left SYNC. */
	bool has_resynced;
	uint8_t have; /* number of bytes in `bytes`; PREFACE: number of bytes that matched */
	uint8_t bytes[HTTP2_FRAME_HEAD];
	const uint64_t *generation; /* see http2_head.h, as for the next */
	bool wants_trace;
	const struct http2_observer *observer;
	struct http2_frame frame; /* header of the current frame */
	uint32_t left; /* bytes of its payload that are still to come */
	uint32_t pad; /* BODY: how many of those are padding */
	struct http2_sync sync;
	struct http2_memory *memory; /* borrowed */
	struct http2_block *block; /* owned: an incomplete header block */
	struct http2_heads *heads; /* owned; NULL: no block was read or missed so far */
};

void http2_init(struct http2 *p, bool is_response, struct http2_memory *memory);
void http2_release(struct http2 *p);

/*
 * The direction of a client, which begins with the preface; the first `seen` bytes of the preface
 * are consumed already.
 */
void http2_preface(struct http2 *p, unsigned seen);
/* The beginning of the direction was not seen. */
void http2_join(struct http2 *p);

/* The caller's knowledge about the first byte of a segment. */
enum http2_start {
	HTTP2_START_UNKNOWN, /* the source does not know */
	HTTP2_START_FRAME, /* the source knows that a frame, or the preface, starts here */
	HTTP2_START_UNMARKED, /* the source marks frames it knows, and did not mark this one */
};

/* The next bytes of the direction, not empty; time_ns is when they were seen. */
void http2_data(struct http2 *p, struct span data, enum http2_start start, uint64_t time_ns,
		const struct http2_sink *sink, void *ctx);
/* The next len bytes passed, but were not copied. */
void http2_skip(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx);
/* The next len bytes are missing for good. */
void http2_lost(struct http2 *p, uint64_t len, uint64_t time_ns, const struct http2_sink *sink,
		void *ctx);

/*
 * From now on unknown fields are recalled from lists, see http2_recall.h; no-op if no block was
 * read or missed.
 */
static inline void http2_recall(struct http2 *p, uint64_t *counts)
{
	if (p->heads)
		http2_heads_recall(p->heads, counts);
}
/* A list of the direction. False: http2_recall() was not called, or there was no memory for it. */
static inline bool http2_add_list(struct http2 *p, const struct http2_list *list)
{
	if (!p->heads || !p->heads->recall)
		return false;
	http2_heads_add_list(p->heads, list);
	return true;
}

/* True in state SYNC: the parser searches for a frame header. */
bool http2_is_out_of_sync(const struct http2 *p);
/* True if the parser left SYNC at the first byte of the newest segment. */
static inline bool http2_has_resynced(const struct http2 *p)
{
	return p->has_resynced;
}
/*
 * Returns in *ret_ahead how many bytes after the newest one the next frame starts. Returns false if
 * that is not known: the parser is out of sync, or inside a frame header.
 */
bool http2_next_frame(const struct http2 *p, uint32_t *ret_ahead);

#endif
