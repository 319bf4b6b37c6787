/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares the output of a TLS stream with the plaintext that the peers sent: each byte of data
 * must be the one at its position, where lost and skipped bytes count as positions, too.
 */
#ifndef SIDELIGHT_TESTS_UNIT_TLS_TAP_H
#define SIDELIGHT_TESTS_UNIT_TLS_TAP_H

#include <stdio.h>
#include <stdlib.h>

#include "tls/stream.h"
#include "tls_peer.h"

struct tls_tap {
	struct tls_env *env;
	struct tls_stream *stream;
	const uint8_t *want[2];
	size_t want_len[2];
	size_t at[2]; /* output positions, by enum dir: the client's is 0 */
	size_t missing[2]; /* of them, lost or skipped */
	unsigned fins[2];
	uint64_t now_ns;
	uint64_t last_ns[2];
};

static inline void tap_check(bool claim, const char *what)
{
	if (!claim) {
		(void)fprintf(stderr, "%s\n", what);
		abort();
	}
}

static inline void tap_time(struct tls_tap *tap, enum dir dir, uint64_t time_ns)
{
	tap_check(time_ns >= tap->last_ns[dir] && time_ns <= tap->now_ns, "times go back");
	tap_check(tap->fins[dir] == 0, "something behind the end");
	tap->last_ns[dir] = time_ns;
}

static inline void tap_data(void *ctx, enum dir dir, const struct segment_view *view,
			    uint64_t time_ns)
{
	struct tls_tap *tap = ctx;

	tap_time(tap, dir, time_ns);
	tap_check(view->data.len > 0 && view->data.len <= tap->want_len[dir] - tap->at[dir],
		  "too much data");
	tap_check(memcmp(tap->want[dir] + tap->at[dir], view->data.ptr, view->data.len) == 0,
		  "other data");
	tap->at[dir] += view->data.len;
}

static inline void tap_miss(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
			    uint64_t time_ns)
{
	struct tls_tap *tap = ctx;

	(void)view;
	tap_time(tap, dir, time_ns);
	tap_check(len > 0 && len <= tap->want_len[dir] - tap->at[dir], "too much is missing");
	tap->at[dir] += len;
	tap->missing[dir] += len;
}

static inline void tap_fin(void *ctx, enum dir dir, const struct segment_view *view,
			   uint64_t time_ns)
{
	struct tls_tap *tap = ctx;

	(void)view;
	tap_time(tap, dir, time_ns);
	tap->fins[dir]++;
}

static const struct bytes_sink tap_sink = {
	.data = tap_data, .skip = tap_miss, .lost = tap_miss, .fin = tap_fin};

static inline struct tls_tap tap_begin(struct tls_secrets *secrets, bool has_all,
				       const struct tls_peer *p)
{
	struct tls_tap tap = {.env = calloc(1, sizeof(*tap.env))};

	tap_check(tap.env != NULL, "no memory");
	tap.env->secrets = secrets;
	tap.env->has_all_secrets = has_all;
	tap.stream = tls_stream_new(tap.env, NULL);
	for (int dir = 0; p && dir < 2; dir++) {
		tap.want[dir] = p->plaintext[dir];
		tap.want_len[dir] = p->plain_len[dir];
	}
	return tap;
}

static inline void tap_push(struct tls_tap *tap, enum dir dir, const void *bytes, size_t len)
{
	struct segment_view view = {.dir = dir, .data = {bytes, len}};

	tls_stream_data(tap->stream, dir, &view, ++tap->now_ns, &tap_sink, tap);
}

static inline void tap_lose(struct tls_tap *tap, enum dir dir, size_t len, bool is_lost)
{
	struct segment_view view = {.dir = dir};

	tls_stream_missing(tap->stream, dir, &view, (uint32_t)len, is_lost, ++tap->now_ns,
			   &tap_sink, tap);
}

/* All that the peers sent, in their order, in segments of at most `segment` bytes. */
static inline void tap_play(struct tls_tap *tap, const struct tls_peer *p, size_t segment)
{
	for (size_t i = 0; i < p->segments; i++) {
		const uint8_t *bytes = p->wire[p->order[i].side] + p->order[i].from;

		for (size_t at = 0; at < p->order[i].len; at += segment) {
			size_t n = p->order[i].len - at < segment ? p->order[i].len - at : segment;

			tap_push(tap, (enum dir)p->order[i].side, bytes + at, n);
		}
	}
}

/* Returns the reason of a failure, or TLS_FAIL_NONE. */
static inline enum tls_fail tap_end(struct tls_tap *tap)
{
	enum tls_fail failure;

	tap->now_ns++;
	for (int dir = 0; dir < 2; dir++) {
		struct segment_view view = {.dir = (enum dir)dir};

		tls_stream_fin(tap->stream, view.dir, &view, tap->now_ns, &tap_sink, tap);
	}
	tls_stream_end(tap->stream);
	failure = tap->stream->failure;
	tap_check(!failure == !tap->env->stats.failed[failure], "failed, and not counted");
	tls_stream_free(tap->stream);
	free(tap->env);
	return failure;
}

#endif
