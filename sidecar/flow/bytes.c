/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/bytes.h"

/* What one call hands on, and to whom. */
struct output {
	struct bytes *b;
	const struct bytes_sink *sink;
	void *ctx;
	enum dir dir;
	const struct segment_view *at_hand;
};

/* Where there is no segment at hand; by enum dir. */
static const struct segment_view none[2] = {{.dir = DIR_INGRESS, .is_rest = true},
					    {.dir = DIR_EGRESS, .is_rest = true}};

/* What a piece costs while it waits: a stranger may send them empty, or byte by byte. */
static uint32_t early_cost(size_t len)
{
	return (uint32_t)stored_piece_size(len);
}

static void emit_skip(struct output *out, uint32_t to, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t len;

	if (seq_diff(to, b->next) <= 0)
		return;
	len = to - b->next;
	b->next = to;
	out->sink->skip(out->ctx, out->dir, out->at_hand, len, time_ns);
}

static void emit_lost(struct output *out, uint32_t to, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t len = to - b->next;

	if (time_ns < b->last_ns)
		time_ns = b->last_ns; /* known by a piece that came before what went out */
	b->next = to;
	out->sink->lost(out->ctx, out->dir, out->at_hand, len, time_ns);
}

/* The bytes of a piece behind its first `old` ones, which went out before. */
static void emit_data(struct output *out, const struct segment_view *piece, uint32_t old,
		      uint64_t time_ns)
{
	struct segment_view rest;

	out->b->next += (uint32_t)piece->data.len - old;
	if (old || piece != out->at_hand) {
		rest = segment_view_with(out->at_hand, span_from(piece->data, old));
		rest.seq = piece->seq + old;
		rest.tid = piece->tid;
		rest.is_frame = !old && piece->is_frame;
		piece = &rest;
	}
	out->sink->data(out->ctx, out->dir, piece, time_ns);
}

/* The part of a piece that is new; piece->from_seq is not above b->next. */
static void emit_piece(struct output *out, const struct segment_view *piece, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t seq = piece->seq;
	uint32_t old;

	if (time_ns > b->last_ns)
		b->last_ns = time_ns;
	/* A filled hole ends when its last byte came, whatever came before. */
	time_ns = b->last_ns;
	emit_skip(out, seq, time_ns);
	old = seq_diff(b->next, seq) > 0 ? b->next - seq : 0;
	if (old < piece->data.len)
		emit_data(out, piece, old, time_ns);
	emit_skip(out, piece->to_seq, time_ns);
	if (piece->is_fin && b->next == piece->to_seq && !b->is_finished) {
		b->is_finished = true;
		out->sink->fin(out->ctx, out->dir, out->at_hand, time_ns);
	}
}

static void emit_first_early(struct output *out)
{
	struct bytes *b = out->b;
	struct stored_piece *e = b->early;
	struct segment_view piece;

	stored_piece_view(e, out->dir, &piece);
	b->early = e->next;
	b->early_bytes -= early_cost(e->len);
	if (seq_diff(piece.from_seq, b->next) > 0)
		emit_lost(out, piece.from_seq, e->time_ns);
	emit_piece(out, &piece, e->time_ns);
	memory_free(b->memory, e);
}

/* False: no memory, or a cap is reached. */
static bool keep_early(struct bytes *b, const struct segment_view *piece, uint64_t time_ns)
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
static void release_early(struct output *out, uint32_t to)
{
	struct bytes *b = out->b;

	while (b->early && !b->is_finished &&
	       (seq_diff(b->early->from_seq, to) <= 0 ||
		seq_diff(b->early->from_seq, b->next) <= 0))
		emit_first_early(out);
}

/* All before `to` has passed: what is known of it from pieces that were ahead goes out. */
static void release_ahead(struct output *out, uint32_t to)
{
	struct bytes *b = out->b;
	struct segment_view piece;
	uint64_t time_ns;
	uint32_t from;

	while (!b->is_finished && ahead_first(&b->ahead, b->memory, b->next, to, &from)) {
		if (b->early && (seq_diff(b->early->from_seq, b->next) <= 0 ||
				 seq_diff(b->early->from_seq, from) < 0)) {
			emit_first_early(out);
			continue;
		}
		ahead_take(&b->ahead, to, out->dir, &piece, &time_ns);
		if (seq_diff(piece.from_seq, b->next) > 0)
			emit_lost(out, piece.from_seq, time_ns);
		emit_piece(out, &piece, time_ns);
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
	struct output out = {b, sink, ctx, dir, &none[dir]};

	if (b->is_started)
		return;
	b->is_started = true;
	b->next = seq;
	release_early(&out, seq);
}

void bytes_push_any(struct bytes *b, const struct segment_view *piece, uint64_t time_ns,
		    const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, piece->dir, piece};

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
		release_ahead(&out, piece->from_seq);
	if (b->is_finished)
		return;
	if (seq_diff(piece->from_seq, b->next) > 0) {
		if (piece->has_hole && keep_early(b, piece, time_ns))
			return;
		/* Nobody will fill what is missing below, nor what waits behind it. */
		release_early(&out, piece->from_seq);
		if (b->is_finished)
			return;
		if (seq_diff(piece->from_seq, b->next) > 0)
			emit_lost(&out, piece->from_seq, time_ns);
	}
	emit_piece(&out, piece, time_ns);
	if (b->early)
		release_early(&out, b->next);
}

/* Also of pieces that are ahead nothing is left. */
static void flush(struct output *out)
{
	struct bytes *b = out->b;

	if (b->early && !b->is_started)
		guess_start(b, b->early->from_seq);
	while (b->early && !b->is_finished)
		emit_first_early(out);
	bytes_release(b);
}

void bytes_flush(struct bytes *b, enum dir dir, const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, dir, &none[dir]};

	flush(&out);
}

void bytes_give_up(struct bytes *b, const struct segment_view *data, const struct bytes_sink *sink,
		   void *ctx)
{
	const struct segment_view across = segment_view_across(data);
	struct output out = {b, sink, ctx, across.dir, &across};

	if (!data->has_peer) {
		flush(&out);
		return;
	}
	if (b->early && !b->is_started)
		guess_start(b, b->early->from_seq);
	release_early(&out, data->peer_seq - 1);
}

void bytes_reach(struct bytes *b, enum dir dir, uint32_t told_seq, uint32_t to_seq,
		 uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, dir, &none[dir]};

	if (b->is_started)
		release_ahead(&out, to_seq);
	flush(&out);
	if (!b->is_started || b->is_finished)
		return;
	if (seq_diff(told_seq, b->next) > 0)
		emit_lost(&out, told_seq, time_ns);
	if (!b->is_finished)
		emit_skip(&out, to_seq, time_ns);
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
