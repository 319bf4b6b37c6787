/* SPDX-License-Identifier: Apache-2.0 */
#include "export/feed.h"

#include <string.h>

#define BLOCK_BYTES (32u << 10)
/* An empty buffer that is larger gives its memory back. */
#define IDLE_BYTES (64u << 10)

static void take(struct feed *f, char *to, size_t len)
{
	memcpy(to, f->buf.ptr + f->sent, len);
	f->sent += len;
	if (f->sent < f->buf.len / 2)
		return;
	/* At most as many bytes move as were sent. */
	memmove(f->buf.ptr, f->buf.ptr + f->sent, feed_waiting(f));
	text_truncate(&f->buf, feed_waiting(f));
	f->sent = 0;
	if (f->buf.len == 0 && f->buf.alloc > IDLE_BYTES)
		text_release(&f->buf);
}

static ssize_t on_block(void *ctx, uint64_t at, char *buf, size_t len)
{
	struct feed *f = ctx;
	size_t waiting;

	(void)at; /* from the beginning to the end */
	if (feed_waiting(f) < len && !f->is_ended)
		f->fill(f);
	waiting = feed_waiting(f);
	if (waiting) {
		if (waiting < len)
			len = waiting;
		take(f, buf, len);
		return (ssize_t)len;
	}
	if (f->is_ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	f->is_resting = true;
	MHD_suspend_connection(f->connection);
	return 0;
}

static void on_gone(void *ctx)
{
	struct feed *f = ctx;

	text_release(&f->buf);
	f->gone(f);
}

enum MHD_Result feed_answer(struct feed *f, const char *content_type)
{
	return feed_answer_fields(
		f, &(struct httpd_field){MHD_HTTP_HEADER_CONTENT_TYPE, content_type}, 1);
}

enum MHD_Result feed_answer_fields(struct feed *f, const struct httpd_field *fields,
				   size_t field_count)
{
	struct MHD_Response *r;

	text_init(&f->buf);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_block, f, on_gone);
	if (!r) {
		on_gone(f);
		return MHD_NO;
	}
	return httpd_queue(f->connection, MHD_HTTP_OK, r, fields, field_count);
}

void feed_wake(struct feed *f)
{
	if (!f->is_resting)
		return;
	f->is_resting = false;
	MHD_resume_connection(f->connection);
}

bool feed_add_whole(struct feed *f, const struct text *text)
{
	size_t before = f->buf.len;

	if (feed_waiting(f) >= FEED_WAITING_MAX || text->has_failed || !text->len)
		return false;
	text_add_span(&f->buf, text_span(text));
	if (!f->buf.has_failed)
		return true;
	f->buf.has_failed = false;
	text_truncate(&f->buf, before);
	return false;
}
