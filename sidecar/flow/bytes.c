/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/bytes.h"

/* What a piece costs while it waits: a stranger may send them empty, or byte by byte. */
static uint32_t early_cost(size_t len)
{
	return (uint32_t)stored_piece_size(len);
}

static void emit_skip(struct bytes *b, enum dir dir, uint32_t to, uint64_t time_ns,
		      const struct bytes_sink *sink, void *ctx)
{
	uint32_t len;

	if (seq_diff(to, b->next) <= 0)
		return;
	len = to - b->next;
	b->next = to;
	sink->skip(ctx, dir, len, time_ns);
}

static void emit_lost(struct bytes *b, enum dir dir, uint32_t to, uint64_t time_ns,
		      const struct bytes_sink *sink, void *ctx)
{
	uint32_t len = to - b->next;

	if (time_ns < b->last_ns)
		time_ns = b->last_ns; /* known by a piece that came before what went out */
	b->next = to;
	sink->lost(ctx, dir, len, time_ns);
}

/* The part of a piece that is new; piece->from_seq is not above b->next. */
static void emit_piece(struct bytes *b, const struct event_data *piece, uint64_t time_ns,
		       const struct bytes_sink *sink, void *ctx)
{
	struct span data = piece->data;
	uint32_t seq = piece->seq;

	if (time_ns > b->last_ns)
		b->last_ns = time_ns;
	/* A filled hole ends when its last byte came, whatever came before. */
	time_ns = b->last_ns;
	emit_skip(b, piece->dir, seq, time_ns, sink, ctx);
	if (seq_diff(b->next, seq) > 0) {
		size_t old = (size_t)(b->next - seq);

		data = old < data.len ? span_from(data, old) : (struct span){data.ptr, 0};
	}
	if (data.len) {
		b->next += (uint32_t)data.len;
		sink->data(ctx, piece->dir, data, time_ns);
	}
	emit_skip(b, piece->dir, piece->to_seq, time_ns, sink, ctx);
	if (piece->is_fin && b->next == piece->to_seq && !b->is_finished) {
		b->is_finished = true;
		sink->fin(ctx, piece->dir, time_ns);
	}
}

static void emit_first_early(struct bytes *b, enum dir dir, const struct bytes_sink *sink,
			     void *ctx)
{
	struct stored_piece *e = b->early;
	struct event_data piece = {
		.dir = dir,
		.data = {e->data, e->len},
		.seq = e->seq,
		.from_seq = e->from_seq,
		.to_seq = e->to_seq,
		.is_fin = e->is_fin,
	};

	b->early = e->next;
	b->early_bytes -= early_cost(e->len);
	if (seq_diff(piece.from_seq, b->next) > 0)
		emit_lost(b, dir, piece.from_seq, e->time_ns, sink, ctx);
	emit_piece(b, &piece, e->time_ns, sink, ctx);
	memory_free(b->memory, e);
}

/* False: no memory, or a cap is reached. */
static bool keep_early(struct bytes *b, const struct event_data *piece, uint64_t time_ns)
{
	uint32_t cost = early_cost(piece->data.len);

	if (cost > BYTES_EARLY_MAX - b->early_bytes ||
	    !stored_piece_add(&b->early, b->memory, piece, time_ns))
		return false;
	b->early_bytes += cost;
	return true;
}

/* Early pieces that start before `to`, holes before them given up, and those that follow
 * without a hole. */
static void release_early(struct bytes *b, enum dir dir, uint32_t to, const struct bytes_sink *sink,
			  void *ctx)
{
	while (b->early && !b->is_finished &&
	       (seq_diff(b->early->from_seq, to) <= 0 ||
		seq_diff(b->early->from_seq, b->next) <= 0))
		emit_first_early(b, dir, sink, ctx);
}

/* All before `to` has passed: what is known of it from pieces that were ahead goes out. */
static void release_ahead(struct bytes *b, enum dir dir, uint32_t to, const struct bytes_sink *sink,
			  void *ctx)
{
	struct event_data piece = {.dir = dir};
	uint64_t time_ns;
	uint32_t from;

	while (!b->is_finished && ahead_first(&b->ahead, b->memory, b->next, to, &from)) {
		if (b->early && (seq_diff(b->early->from_seq, b->next) <= 0 ||
				 seq_diff(b->early->from_seq, from) < 0)) {
			emit_first_early(b, dir, sink, ctx);
			continue;
		}
		ahead_take(&b->ahead, to, &piece, &time_ns);
		if (seq_diff(piece.from_seq, b->next) > 0)
			emit_lost(b, dir, piece.from_seq, time_ns, sink, ctx);
		emit_piece(b, &piece, time_ns, sink, ctx);
	}
}

/* Nobody knows the first byte: it is one of those that came. */
static void guess_start(struct bytes *b, uint32_t seq)
{
	b->is_started = true;
	b->next = b->early && seq_diff(b->early->from_seq, seq) < 0 ? b->early->from_seq : seq;
}

void bytes_start(struct bytes *b, enum dir dir, uint32_t seq, const struct bytes_sink *sink,
		 void *ctx)
{
	if (b->is_started)
		return;
	b->is_started = true;
	b->next = seq;
	release_early(b, dir, seq, sink, ctx);
}

void bytes_push_any(struct bytes *b, const struct event_data *piece, uint64_t time_ns,
		    const struct bytes_sink *sink, void *ctx)
{
	enum dir dir = piece->dir;

	if (b->is_finished)
		return;
	if (piece->is_ahead) {
		ahead_keep(&b->ahead, b->memory, b->is_started ? b->next : piece->from_seq, piece,
			   time_ns);
		return;
	}
	if (!b->is_started) {
		if (piece->has_hole && keep_early(b, piece, time_ns))
			return;
		guess_start(b, piece->from_seq);
	}
	if (b->ahead.first && !piece->has_hole)
		release_ahead(b, dir, piece->from_seq, sink, ctx);
	if (b->is_finished)
		return;
	if (seq_diff(piece->from_seq, b->next) > 0) {
		if (piece->has_hole && keep_early(b, piece, time_ns))
			return;
		/* Nobody will fill what is missing below, nor what waits behind it. */
		release_early(b, dir, piece->from_seq, sink, ctx);
		if (b->is_finished)
			return;
		if (seq_diff(piece->from_seq, b->next) > 0)
			emit_lost(b, dir, piece->from_seq, time_ns, sink, ctx);
	}
	emit_piece(b, piece, time_ns, sink, ctx);
	if (b->early)
		release_early(b, dir, b->next, sink, ctx);
}

void bytes_flush(struct bytes *b, enum dir dir, const struct bytes_sink *sink, void *ctx)
{
	if (b->early && !b->is_started)
		guess_start(b, b->early->from_seq);
	while (b->early && !b->is_finished)
		emit_first_early(b, dir, sink, ctx);
	bytes_release(b);
}

void bytes_give_up(struct bytes *b, enum dir dir, uint32_t seq, const struct bytes_sink *sink,
		   void *ctx)
{
	if (b->early && !b->is_started)
		guess_start(b, b->early->from_seq);
	release_early(b, dir, seq - 1, sink, ctx);
}

void bytes_reach(struct bytes *b, enum dir dir, uint32_t told_seq, uint32_t to_seq,
		 uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	if (b->is_started)
		release_ahead(b, dir, to_seq, sink, ctx);
	bytes_flush(b, dir, sink, ctx);
	if (!b->is_started || b->is_finished)
		return;
	if (seq_diff(told_seq, b->next) > 0)
		emit_lost(b, dir, told_seq, time_ns, sink, ctx);
	if (!b->is_finished)
		emit_skip(b, dir, to_seq, time_ns, sink, ctx);
}

void bytes_release(struct bytes *b)
{
	while (b->early) {
		struct stored_piece *e = b->early;

		b->early = e->next;
		memory_free(b->memory, e);
	}
	b->early_bytes = 0;
	ahead_release(&b->ahead, b->memory);
}
