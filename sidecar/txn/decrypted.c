/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/decrypted.h"

#include "proto/http1_head.h"
#include "txn/http1_session.h"

/* As UNKNOWN_FLIGHTS in bpf/state.bpf.h. */
#define UNKNOWN_FLIGHTS_MAX 8

/* Bodies of which less is left are copied. */
#define BODY_LEAST (1u << 20)
/* The end of a body that is copied: more than one record, and the search for its start. */
#define BODY_END (128u << 10)
/* What is skipped at once: BODY_ANSWER_MAX in bpf/segment.bpf.h, less what records add. */
#define BODY_AT_ONCE (1u << 30)

static struct session *session_of(struct conn *c)
{
	return (struct session *)c->user;
}

/* Classifies the first bytes of each flight of the server, after the session got them. */
static void classify(struct session *s, enum dir dir, struct span data)
{
	uint8_t flight = (uint8_t)(1 + dir);

	if (s->has_http || s->flight == flight)
		return;
	s->flight = flight;
	if (dir == s->tls->client)
		return;
	s->has_http = (s->protocol && s->protocol != &http1_protocol) || http1_is_response(data);
	s->unknown_flights += !s->has_http;
}

static void on_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;

	session_sink.bytes.data(c, dir, view, time_ns);
	classify(session_of(c), dir, view->data);
}

static void on_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	/* Nobody has looked for frames among these bytes, as http2_skip() expects. */
	if (session_of(ctx)->http2)
		session_sink.bytes.lost(ctx, dir, view, len, time_ns);
	else
		session_sink.bytes.skip(ctx, dir, view, len, time_ns);
}

static void on_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	session_sink.bytes.lost(ctx, dir, view, len, time_ns);
}

static void on_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	session_sink.bytes.fin(ctx, dir, view, time_ns);
}

const struct bytes_sink decrypted_sink = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin};

/* HTTP/1 has ended, and no HTTP/2 follows (upgrade.h). */
static bool is_tunnel(const struct session *s)
{
	return s->protocol == &http1_protocol && !s->http2 && http1_is_tunnel(&s->parser[0]) &&
	       http1_is_tunnel(&s->parser[1]);
}

enum sl_mute decrypted_unneeded(const struct conn *c, const struct session *s)
{
	const struct session_env *env = c->owner;

	if (!env->on_unneeded)
		return 0;
	if ((s->not_http && !s->is_banner) || s->unknown_flights >= UNKNOWN_FLIGHTS_MAX)
		return SL_MUTE_UNKNOWN;
	return is_tunnel(s) ? SL_MUTE_UPGRADE : 0;
}

void decrypted_tell_body(struct conn *c, const struct session *s, enum dir dir, uint32_t seq)
{
	const struct session_env *env = c->owner;
	uint64_t *told = &s->tls->told_left[dir];
	uint64_t left;

	if (s->protocol != &http1_protocol || !env->on_frame)
		return;
	left = http1_data_left(&s->parser[dir]);
	if (left < BODY_LEAST) {
		*told = 0;
		return;
	}
	/* It was told of this body, and may not have received that yet. */
	if ((*told && *told - left < BODY_LEAST) || !tls_stream_may_skip(s->tls, dir))
		return;
	*told = left;
	left = left - BODY_END < BODY_AT_ONCE ? left - BODY_END : BODY_AT_ONCE;
	/* No record has more plaintext. */
	left += left / TLS_PLAINTEXT_MAX * tls_stream_record_extra(s->tls, dir);
	env->on_frame(env->source_ctx, c->id, dir, seq + (uint32_t)left);
}
