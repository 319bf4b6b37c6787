/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection, with the secrets of RFC 8448's trace and of tests/unit/tls_peer.h. Bit 0 of the
 * first byte: the secrets are there from the beginning. The rest are commands of a letter and
 * two bytes N:
 *
 *     c N  s N  the next N bytes of the input come from the client, the server
 *     C N  S N  N bytes are lost        k N  K N  N bytes were skipped
 *     f N  F N  the direction ends      x N  the secrets are added, if they were missing
 *
 * It holds that
 *   - the output is no longer than the input, no record exceeds its limit, and
 *     nothing comes behind the end of a direction or out of a failed stream;
 *   - the segmentation of the data changes nothing;
 *   - the record queue stays within its bound, and is empty at the end.
 */
#include <string.h>

#include "fuzz.h"
#include "tests/unit/rfc8448.h"
#include "tests/unit/tls_peer.h"
#include "tls/keylog.h"
#include "tls/stream.h"

struct run {
	struct memory_budget budget;
	struct memory_account account;
	struct tls_secrets *secrets;
	struct tls_env *env;
	struct tls_stream *stream;
	uint64_t now_ns;
	uint64_t in[2];
	uint64_t out[2];
	bool has_ended[2];
	uint32_t hash[2]; /* of the output, positions included */
};

static void add(struct run *r, enum dir dir, size_t len, uint64_t time_ns)
{
	fuzz_check(!r->stream->failure && !r->has_ended[dir]);
	fuzz_check(len > 0 && time_ns > 0 && time_ns <= r->now_ns);
	r->out[dir] += len;
	fuzz_check(r->out[dir] <= r->in[dir]);
}

static void mix(struct run *r, enum dir dir, uint8_t byte)
{
	r->hash[dir] = (r->hash[dir] ^ byte) * 0x01000193u;
}

static void on_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct run *r = ctx;

	add(r, dir, view->data.len, time_ns);
	fuzz_check(view->data.len <= TLS_BODY_MAX);
	for (size_t i = 0; i < view->data.len; i++)
		mix(r, dir, (uint8_t)view->data.ptr[i]);
}

static void on_miss(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct run *r = ctx;

	(void)view;
	add(r, dir, len, time_ns);
	mix(r, dir, (uint8_t)len);
	mix(r, dir, (uint8_t)(len >> 8));
}

static void on_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct run *r = ctx;

	(void)view;
	fuzz_check(!r->stream->failure && !r->has_ended[dir] && time_ns <= r->now_ns);
	r->has_ended[dir] = true;
}

static const struct bytes_sink sink = {
	.data = on_data, .skip = on_miss, .lost = on_miss, .fin = on_fin};

static void tell(struct run *r)
{
	static struct tls_peer peer = {.flags = PEER_ECH};
	struct tls_keylog_stats stats = {0};

	peer.suite = tls_suite_find(0x1301);
	memset(peer.client_random, 0xc1, sizeof(peer.client_random));
	for (int i = 0; i < TLS_SECRET_MAX; i++)
		memset(peer.secret[i], 0x10 + i, sizeof(peer.secret[i]));
	/* With ECH, and so under another random, first; and those of SHA-384. */
	tls_peer_tell(&peer, r->secrets, ~0u);
	peer.flags = 0;
	tls_peer_tell(&peer, r->secrets, ~0u);
	peer.suite = tls_suite_find(0x1302);
	memset(peer.client_random, 0xc2, sizeof(peer.client_random));
	tls_peer_tell(&peer, r->secrets, ~0u);
	tls_keylog_add(r->secrets, span_of(RFC8448_KEYLOG), &stats);
	fuzz_check(stats.secrets == 4);
}

static void begin(struct run *r, bool has_secrets)
{
	*r = (struct run){.hash = {1, 1}};
	memory_budget_init(&r->budget, 64u << 20);
	r->account.budget = &r->budget;
	r->secrets = tls_secrets_new(8);
	r->env = calloc(1, sizeof(*r->env));
	fuzz_check(r->secrets && r->env);
	r->env->secrets = r->secrets;
	r->env->has_all_secrets = has_secrets;
	if (has_secrets)
		tell(r);
	r->stream = tls_stream_new(r->env, &r->account);
	fuzz_check(r->stream);
}

static void push(struct run *r, enum dir dir, struct span data, bool is_bytewise)
{
	size_t step = is_bytewise ? 1 : data.len;

	r->in[dir] += data.len;
	for (; data.len > 0; data = span_from(data, step)) {
		struct segment_view view = {.dir = dir, .data = {data.ptr, step}};

		tls_stream_data(r->stream, dir, &view, ++r->now_ns, &sink, r);
		fuzz_check(r->stream->queue.bytes <= TLS_RECORD_QUEUE_MAX);
	}
}

static void command(struct run *r, char letter, uint32_t n, struct span *rest, bool is_bytewise)
{
	size_t len = n < rest->len ? n : rest->len;
	enum dir dir = strchr("sSKF", letter) ? DIR_EGRESS : DIR_INGRESS;
	struct segment_view view = {.dir = dir};

	r->now_ns++;
	switch (letter) {
	case 'c':
	case 's':
		push(r, dir, (struct span){rest->ptr, len}, is_bytewise);
		*rest = span_from(*rest, len);
		break;
	case 'C':
	case 'S':
	case 'k':
	case 'K':
		r->in[dir] += n;
		if (n > 0)
			tls_stream_missing(r->stream, dir, &view, n, letter == 'C' || letter == 'S',
					   r->now_ns, &sink, r);
		break;
	case 'f':
	case 'F':
		tls_stream_fin(r->stream, dir, &view, r->now_ns, &sink, r);
		break;
	case 'x':
		if (!r->env->has_all_secrets)
			tell(r);
		tls_stream_secrets(r->stream, &sink, r);
		break;
	default:
		break;
	}
}

static void play(struct run *r, struct span input, bool is_bytewise)
{
	while (input.len >= 3) {
		char letter = input.ptr[0];
		uint32_t n = (uint32_t)(uint8_t)input.ptr[1] << 8 | (uint8_t)input.ptr[2];

		input = span_from(input, 3);
		command(r, letter, n, &input, is_bytewise);
	}
}

static void finish(struct run *r)
{
	tls_stream_end(r->stream);
	fuzz_check(r->env->stats.failed[r->stream->failure] ==
		   (r->stream->failure != TLS_FAIL_NONE));
	tls_stream_free(r->stream);
	fuzz_check(r->account.used == 0 && r->budget.used == 0);
	tls_secrets_free(r->secrets);
	free(r->env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct run segments;
	struct run bytewise;

	if (size == 0)
		return 0;
	begin(&segments, data[0] & 1);
	begin(&bytewise, data[0] & 1);
	play(&segments, span_from(input, 1), false);
	play(&bytewise, span_from(input, 1), true);
	for (int dir = 0; dir < 2; dir++) {
		fuzz_check(segments.out[dir] == bytewise.out[dir]);
		fuzz_check(segments.hash[dir] == bytewise.hash[dir]);
		fuzz_check(segments.has_ended[dir] == bytewise.has_ended[dir]);
	}
	fuzz_check(segments.stream->failure == bytewise.stream->failure);
	finish(&segments);
	finish(&bytewise);
	return 0;
}
