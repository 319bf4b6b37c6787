/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/bytes.h"

/* The output of one call. */
struct output {
	struct bytes *b;
	const struct bytes_sink *sink;
	void *ctx;
	enum dir dir;
	const struct segment_view *current;
};

/* The view if there is no current segment; by enum dir. */
static const struct segment_view none[2] = {{.dir = DIR_INGRESS, .is_derived = true},
					    {.dir = DIR_EGRESS, .is_derived = true}};

/*
 * The charge for a queued segment, its header included: peers may send empty or one-byte segments.
 */
static uint32_t queue_cost(size_t len)
{
	return (uint32_t)queued_segment_size(len);
}

static void emit_skip(struct output *out, uint32_t to, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t len;

	if (seq_diff(to, b->next) <= 0)
		return;
	len = to - b->next;
	b->next = to;
	out->sink->skip(out->ctx, out->dir, out->current, len, time_ns);
}

static void emit_lost(struct output *out, uint32_t to, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t len = to - b->next;

	if (time_ns < b->last_ns)
		/* the segment behind the gap came before bytes that went out */
		time_ns = b->last_ns;
	b->next = to;
	out->sink->lost(out->ctx, out->dir, out->current, len, time_ns);
}

/* Emits the bytes of a segment behind its first `old` ones, which went out before. */
static void emit_data(struct output *out, const struct segment_view *segment, uint32_t old,
		      uint64_t time_ns)
{
	struct segment_view rest;

	out->b->next += (uint32_t)segment->data.len - old;
	if (old || segment != out->current) {
		rest = segment_view_with(out->current, span_from(segment->data, old));
		rest.seq = segment->seq + old;
		rest.tid = segment->tid;
		rest.tgid = segment->tgid;
		rest.is_frame = !old && segment->is_frame;
		segment = &rest;
	}
	out->sink->data(out->ctx, out->dir, segment, time_ns);
}

/* Emits the new part of a segment; segment->from_seq is not above b->next. */
static void emit_segment(struct output *out, const struct segment_view *segment, uint64_t time_ns)
{
	struct bytes *b = out->b;
	uint32_t seq = segment->seq;
	uint32_t old;

	if (time_ns > b->last_ns)
		b->last_ns = time_ns;
	/* The bytes of a filled gap have the time of the newest byte. */
	time_ns = b->last_ns;
	emit_skip(out, seq, time_ns);
	old = seq_diff(b->next, seq) > 0 ? b->next - seq : 0;
	if (old < segment->data.len)
		emit_data(out, segment, old, time_ns);
	emit_skip(out, segment->to_seq, time_ns);
	if (segment->is_fin && b->next == segment->to_seq && !b->is_finished) {
		b->is_finished = true;
		out->sink->fin(out->ctx, out->dir, out->current, time_ns);
	}
}

static void emit_first_queued(struct output *out)
{
	struct bytes *b = out->b;
	struct queued_segment *e = b->queue;
	struct segment_view segment;

	queued_segment_view(e, out->dir, &segment);
	b->queue = e->next;
	b->queue_bytes -= queue_cost(e->len);
	if (seq_diff(segment.from_seq, b->next) > 0)
		emit_lost(out, segment.from_seq, e->time_ns);
	emit_segment(out, &segment, e->time_ns);
	memory_free(b->memory, e);
}

/* Returns false if there is no memory, or the limit is reached. */
static bool enqueue(struct bytes *b, const struct segment_view *segment, uint64_t time_ns)
{
	uint32_t cost = queue_cost(segment->data.len);

	if (cost > BYTES_QUEUE_MAX - b->queue_bytes ||
	    !queued_segment_add(&b->queue, b->memory, segment, time_ns))
		return false;
	b->queue_bytes += cost;
	return true;
}

/*
 * Emits queued segments that start at or before `to`, giving up the gaps before them, and those
 * that follow without a gap.
 */
static void release_queue(struct output *out, uint32_t to)
{
	struct bytes *b = out->b;

	while (b->queue && !b->is_finished &&
	       (seq_diff(b->queue->from_seq, to) <= 0 ||
		seq_diff(b->queue->from_seq, b->next) <= 0))
		emit_first_queued(out);
}

/* The socket has received everything before `to`: emits the stored segments that are ahead. */
static void release_ahead(struct output *out, uint32_t to)
{
	struct bytes *b = out->b;
	struct segment_view segment;
	uint64_t time_ns;
	uint32_t from;

	while (!b->is_finished && ahead_first(&b->ahead, b->memory, b->next, to, &from)) {
		if (b->queue && (seq_diff(b->queue->from_seq, b->next) <= 0 ||
				 seq_diff(b->queue->from_seq, from) < 0)) {
			emit_first_queued(out);
			continue;
		}
		ahead_take(&b->ahead, to, out->dir, &segment, &time_ns);
		if (seq_diff(segment.from_seq, b->next) > 0)
			emit_lost(out, segment.from_seq, time_ns);
		emit_segment(out, &segment, time_ns);
	}
}

/* The first byte of the stream is not known: starts at the lowest position that was seen. */
static void start_at_oldest(struct bytes *b, uint32_t seq)
{
	b->is_started = true;
	b->next = b->queue && seq_diff(b->queue->from_seq, seq) < 0 ? b->queue->from_seq : seq;
}

void bytes_start(struct bytes *b, enum dir dir, uint32_t seq, const struct bytes_sink *sink,
		 void *ctx)
{
	struct output out = {b, sink, ctx, dir, &none[dir]};

	if (b->is_started)
		return;
	b->is_started = true;
	b->next = seq;
	release_queue(&out, seq);
}

void bytes_push(struct bytes *b, const struct segment_view *segment, uint64_t time_ns,
		const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, segment->dir, segment};

	if (b->is_finished)
		return;
	if (segment->is_ahead) {
		ahead_keep(&b->ahead, b->memory, b->is_started ? b->next : segment->from_seq,
			   segment, time_ns);
		return;
	}
	if (!b->is_started) {
		if (segment->has_gap && enqueue(b, segment, time_ns))
			return;
		start_at_oldest(b, segment->from_seq);
	}
	if (b->ahead.first && !segment->has_gap)
		release_ahead(&out, segment->from_seq);
	if (b->is_finished)
		return;
	if (seq_diff(segment->from_seq, b->next) > 0) {
		if (segment->has_gap && enqueue(b, segment, time_ns))
			return;
		/* The gap below, and all gaps before it, will not be filled any more. */
		release_queue(&out, segment->from_seq);
		if (b->is_finished)
			return;
		if (seq_diff(segment->from_seq, b->next) > 0)
			emit_lost(&out, segment->from_seq, time_ns);
	}
	emit_segment(&out, segment, time_ns);
	if (b->queue)
		release_queue(&out, b->next);
}

/* Drops the segments that are ahead, too. */
static void flush(struct output *out)
{
	struct bytes *b = out->b;

	if (b->queue && !b->is_started)
		start_at_oldest(b, b->queue->from_seq);
	while (b->queue && !b->is_finished)
		emit_first_queued(out);
	bytes_release(b);
}

void bytes_flush(struct bytes *b, enum dir dir, const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, dir, &none[dir]};

	flush(&out);
}

void bytes_give_up_gaps(struct bytes *b, const struct segment_view *data,
			const struct bytes_sink *sink, void *ctx)
{
	const struct segment_view across = segment_view_reverse(data);
	struct output out = {b, sink, ctx, across.dir, &across};

	if (!data->has_peer) {
		flush(&out);
		return;
	}
	if (b->queue && !b->is_started)
		start_at_oldest(b, b->queue->from_seq);
	release_queue(&out, data->peer_seq - 1);
}

void bytes_acknowledged(struct bytes *b, const struct segment_view *data,
			const struct bytes_sink *sink, void *ctx)
{
	const struct segment_view across = segment_view_reverse(data);
	struct output out = {b, sink, ctx, across.dir, &across};
	struct segment_view segment;
	uint64_t time_ns;
	uint32_t from;

	while (b->is_started && !b->is_finished &&
	       ahead_first(&b->ahead, b->memory, b->next, data->peer_seq, &from) &&
	       seq_diff(from, b->next) <= 0) {
		ahead_take(&b->ahead, data->peer_seq, across.dir, &segment, &time_ns);
		/* The acknowledgement of a FIN is one byte more. */
		segment.is_fin &= seq_diff(data->peer_seq, segment.to_seq) > 0;
		emit_segment(&out, &segment, time_ns);
	}
}

void bytes_advance(struct bytes *b, enum dir dir, uint32_t reported_seq, uint32_t to_seq,
		   uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	struct output out = {b, sink, ctx, dir, &none[dir]};

	if (b->is_started)
		release_ahead(&out, to_seq);
	flush(&out);
	if (!b->is_started || b->is_finished)
		return;
	if (seq_diff(reported_seq, b->next) > 0)
		emit_lost(&out, reported_seq, time_ns);
	if (!b->is_finished)
		emit_skip(&out, to_seq, time_ns);
}

void bytes_release(struct bytes *b)
{
	while (b->queue) {
		struct queued_segment *e = b->queue;

		b->queue = e->next;
		memory_free(b->memory, e);
	}
	b->queue_bytes = 0;
	ahead_release(&b->ahead, b->memory);
}
