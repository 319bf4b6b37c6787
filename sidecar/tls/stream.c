/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/stream.h"

#include <string.h>

#include "tls/keys.h"

const char *tls_fail_name(enum tls_fail why)
{
	static const char *const names[TLS_FAIL_MAX] = {
		[TLS_FAIL_NONE] = "",
		[TLS_FAIL_NO_SECRET] = "no_secret",
		[TLS_FAIL_JOINED] = "joined",
		[TLS_FAIL_VERSION] = "version",
		[TLS_FAIL_CIPHER] = "cipher",
		[TLS_FAIL_GAP] = "gap",
		[TLS_FAIL_SECRET] = "wrong_secret",
		[TLS_FAIL_PROTOCOL] = "protocol",
		[TLS_FAIL_NOT_HTTP] = "not_http",
		[TLS_FAIL_HELD] = "held",
		[TLS_FAIL_MEMORY] = "memory",
	};

	return names[why];
}

bool tls_begins(struct span data)
{
	uint8_t first = (uint8_t)data.ptr[0];

	return first >= TLS_CHANGE_CIPHER_SPEC && first <= TLS_APPLICATION_DATA &&
	       (data.len < 2 || data.ptr[1] == 3) && (data.len < 3 || (uint8_t)data.ptr[2] <= 4);
}

struct tls_stream *tls_stream_new(struct tls_env *env, struct memory_account *memory)
{
	struct tls_stream *t = memory_calloc(memory, 1, sizeof(*t));

	env->stats.connections++;
	if (!t) {
		env->stats.failed[TLS_FAIL_MEMORY]++;
		return NULL;
	}
	t->env = env;
	t->memory = memory;
	return t;
}

/* Frees everything but the struct itself. */
static void release(struct tls_stream *t)
{
	tls_keys_wipe(t);
	tls_waiting_remove(t);
	tls_record_queue_release(&t->queue, t->memory);
	for (int dir = 0; dir < 2; dir++) {
		tls_reader_release(&t->direction[dir].reader, t->memory);
		tls_gap_release(&t->direction[dir].gap, t->memory);
		tls_handshake_release(&t->direction[dir].handshake, t->memory);
	}
}

void tls_stream_free(struct tls_stream *t)
{
	if (!t)
		return;
	release(t);
	memory_free(t->memory, t);
}

void tls_stream_fail(struct tls_stream *t, enum tls_fail why)
{
	if (t->failure)
		return;
	t->failure = why;
	t->env->stats.failed[why]++;
	tls_keys_wipe(t);
}

struct segment_view tls_stream_view(const struct tls_stream *t, enum dir dir)
{
	/* A record of one direction may release queued records of the other. */
	return dir == t->view->dir ? *t->view : segment_view_reverse(t->view);
}

void tls_stream_put_fin(struct tls_stream *t, enum dir dir, uint64_t time_ns)
{
	struct segment_view view = tls_stream_view(t, dir);

	if (t->direction[dir].has_ended)
		return;
	t->direction[dir].has_ended = true;
	t->sink->fin(t->ctx, dir, &view, time_ns);
}

/* True if all records are queued, or earlier records of this direction are. */
static bool is_queued(const struct tls_stream *t, enum dir dir)
{
	return t->wait.is_waiting || tls_record_queue_has(&t->queue, dir);
}

static void enqueue(struct tls_stream *t, enum dir dir, const struct tls_record *r, bool is_fin)
{
	if (!tls_record_queue_add(&t->queue, dir, r, is_fin, t->memory))
		tls_stream_fail(t, TLS_FAIL_HELD);
}

/* Processes queued records in order, as far as possible. */
static void release_queue(struct tls_stream *t)
{
	bool is_blocked[2] = {false, false};
	struct tls_queued_record *h = t->queue.first;

	while (h && !t->failure && !t->wait.is_waiting) {
		struct tls_queued_record *next = h->next;

		if (is_blocked[h->dir]) {
			h = next;
			continue;
		}
		if (h->is_fin) {
			tls_stream_put_fin(t, h->dir, h->record.last_ns);
		} else if (!tls_stream_record(t, h->dir, &h->record)) {
			is_blocked[h->dir] = true;
			h = next;
			continue;
		}
		/* The record may have unblocked earlier ones. */
		tls_record_queue_remove(&t->queue, h, t->memory);
		is_blocked[0] = is_blocked[1] = false;
		h = t->queue.first;
	}
}

static void take_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	if (is_queued(t, dir) || !tls_stream_record(t, dir, r))
		enqueue(t, dir, r, false);
	else if (t->queue.first)
		release_queue(t);
}

/* Handles the result of the reader. Returns false if there is no record yet. */
static bool take_read(struct tls_stream *t, enum dir dir, enum tls_read read,
		      const struct tls_record *r)
{
	switch (read) {
	case TLS_READ_RECORD:
		take_record(t, dir, r);
		return true;
	case TLS_READ_MALFORMED:
		tls_stream_fail(t, TLS_FAIL_PROTOCOL);
		return false;
	case TLS_READ_NO_MEMORY:
		tls_stream_fail(t, TLS_FAIL_MEMORY);
		return false;
	case TLS_READ_MORE:
		return false;
	}
	return false;
}

static void read_records(struct tls_stream *t, enum dir dir, struct span data, uint64_t time_ns)
{
	struct tls_reader *reader = &t->direction[dir].reader;
	struct tls_record r;

	while (data.len > 0 && !t->failure)
		if (!take_read(t, dir, tls_reader_data(reader, &data, time_ns, t->memory, &r), &r))
			return;
}

/* A record behind the gap was found: reports the missing bytes, then reads the buffered records. */
static void close_gap(struct tls_stream *t, enum dir dir, const struct tls_gap_end *end,
		      uint64_t time_ns)
{
	struct tls_direction *d = &t->direction[dir];
	struct tls_gap gap = d->gap;
	uint64_t records = end->number - d->number;
	uint64_t lost = end->plaintext_bytes - (t->version == TLS_1_3 ? records : 0);
	struct segment_view view = tls_stream_view(t, dir);

	d->gap = (struct tls_gap){0};
	d->number = end->number;
	d->is_verified = false;
	t->env->stats.gaps_closed++;
	if (lost > 0 && lost < UINT32_MAX)
		(gap.has_lost ? t->sink->lost : t->sink->skip)(t->ctx, dir, &view, (uint32_t)lost,
							       time_ns);
	else if (lost > 0)
		tls_stream_fail(t, TLS_FAIL_GAP);
	read_records(t, dir, span_from((struct span){(const char *)gap.buffer, gap.len}, end->at),
		     time_ns);
	tls_gap_release(&gap, t->memory);
}

static void read_gap(struct tls_stream *t, enum dir dir, struct span data, uint64_t time_ns)
{
	struct tls_direction *d = &t->direction[dir];
	struct tls_gap_end end;

	switch (tls_gap_data(&d->gap, data, &d->cipher, d->number, &d->shown, t->memory,
			     t->env->plaintext, &end)) {
	case TLS_GAP_OPEN:
		return;
	case TLS_GAP_CLOSED:
		close_gap(t, dir, &end, time_ns);
		return;
	case TLS_GAP_LOST:
		tls_stream_fail(t, TLS_FAIL_GAP);
		return;
	case TLS_GAP_NO_MEMORY:
		tls_stream_fail(t, TLS_FAIL_MEMORY);
		return;
	}
}

/*
 * True if the number of the next record determines the length of the missing plaintext: all missing
 * records have to be application data. Servers of TLS 1.3 send their session tickets earlier
 * (OpenSSL, BoringSSL, GnuTLS and Go at the end of the handshake).
 */
static bool can_close_gap(const struct tls_stream *t, enum dir dir)
{
	const struct tls_direction *d = &t->direction[dir];

	return d->phase == TLS_PHASE_TRAFFIC && d->is_verified && !d->has_padding &&
	       tls_cipher_is_stream(&d->cipher) && !is_queued(t, dir) &&
	       (t->version == TLS_1_2 || dir == t->client || d->has_data);
}

bool tls_stream_may_skip(const struct tls_stream *t, enum dir dir)
{
	const struct tls_direction *d = &t->direction[dir];

	/* Otherwise each number would have to be verified by a tag. */
	return (t->version == TLS_1_3 || d->shown.are_nonces_counted) && !t->failure &&
	       !d->gap.is_open && can_close_gap(t, dir);
}

size_t tls_stream_record_extra(const struct tls_stream *t, enum dir dir)
{
	return TLS_HEADER_BYTES + tls_cipher_overhead(&t->direction[dir].cipher) +
	       (t->version == TLS_1_3); /* the content type */
}

void tls_stream_count_record(struct tls_stream *t, enum dir dir, const struct tls_record *r)
{
	struct tls_direction *d = &t->direction[dir];
	uint64_t offset;

	if (tls_cipher_is_stream(&d->cipher) && tls_cipher_nonce_bytes(&d->cipher)) {
		offset = tls_cipher_nonce(r->body) - d->number;
		d->shown.are_nonces_counted = d->number > 0 && d->shown.nonce_offset == offset;
		d->shown.nonce_offset = offset;
	}
	d->shown.len = r->len;
	d->number++;
}

static void begin_call(struct tls_stream *t, const struct segment_view *view,
		       const struct bytes_sink *sink, void *ctx)
{
	t->view = view;
	t->sink = sink;
	t->ctx = ctx;
}

static void end_call(struct tls_stream *t)
{
	t->view = NULL;
	if (t->failure)
		release(t);
}

void tls_stream_data(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		     uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	if (t->failure || t->direction[dir].has_ended)
		return;
	begin_call(t, view, sink, ctx);
	if (t->direction[dir].gap.is_open)
		read_gap(t, dir, view->data, time_ns);
	else
		read_records(t, dir, view->data, time_ns);
	end_call(t);
}

void tls_stream_missing(struct tls_stream *t, enum dir dir, const struct segment_view *view,
			uint32_t len, bool is_lost, uint64_t time_ns, const struct bytes_sink *sink,
			void *ctx)
{
	struct tls_direction *d = &t->direction[dir];
	struct tls_record r;

	if (t->failure || d->has_ended)
		return;
	begin_call(t, view, sink, ctx);
	if (!d->gap.is_open)
		(void)take_read(
			t, dir,
			tls_reader_missing(&d->reader, &len, is_lost, time_ns, t->memory, &r), &r);
	if (len > 0 && !t->failure && (d->gap.is_open || can_close_gap(t, dir))) {
		tls_gap_missing(&d->gap, len, d->reader.header_bytes, is_lost, t->memory);
		tls_reader_release(&d->reader, t->memory);
	} else if (len > 0) {
		tls_stream_fail(t, TLS_FAIL_GAP);
	}
	end_call(t);
}

void tls_stream_fin(struct tls_stream *t, enum dir dir, const struct segment_view *view,
		    uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	struct tls_record r = {.last_ns = time_ns};

	if (t->failure)
		return;
	begin_call(t, view, sink, ctx);
	if (t->direction[dir].gap.is_open)
		tls_stream_fail(t, TLS_FAIL_GAP);
	else if (is_queued(t, dir))
		enqueue(t, dir, &r, true);
	else
		tls_stream_put_fin(t, dir, time_ns);
	end_call(t);
}

void tls_stream_secrets(struct tls_stream *t, const struct bytes_sink *sink, void *ctx)
{
	static const struct segment_view none = {.is_derived = true};

	if (t->failure || !t->wait.is_waiting)
		return;
	begin_call(t, &none, sink, ctx);
	tls_waiting_remove(t);
	release_queue(t);
	end_call(t);
}

void tls_stream_end(struct tls_stream *t)
{
	if (t->queue.first)
		tls_stream_fail(t, TLS_FAIL_NO_SECRET);
	else if (t->direction[0].gap.is_open || t->direction[1].gap.is_open)
		tls_stream_fail(t, TLS_FAIL_GAP);
	release(t);
}
