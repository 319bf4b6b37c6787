/* SPDX-License-Identifier: Apache-2.0 */
#include "export/protobuf_writer.h"

/* A part is handed over as soon as it has this many bytes. */
#define PART_BYTES (8u << 10)

static void append(ProtobufCBuffer *buffer, size_t len, const uint8_t *bytes)
{
	struct protobuf_writer *w = (struct protobuf_writer *)buffer;

	text_add_span(&w->out, (struct span){(const char *)bytes, len});
}

void protobuf_writer_init(struct protobuf_writer *w, text_part_fn fn, void *ctx)
{
	*w = (struct protobuf_writer){.buffer = {.append = append}, .fn = fn, .ctx = ctx};
	text_init(&w->out);
}

void protobuf_writer_release(struct protobuf_writer *w)
{
	text_release(&w->out);
}

void protobuf_writer_flush(struct protobuf_writer *w)
{
	if (w->out.has_failed || w->has_stopped)
		return;
	w->has_stopped = !w->fn(w->ctx, text_span(&w->out));
	text_clear(&w->out);
}

void protobuf_writer_flush_part(struct protobuf_writer *w)
{
	if (w->out.len >= PART_BYTES)
		protobuf_writer_flush(w);
}

size_t protobuf_varint_size(size_t number)
{
	size_t size = 1;

	while (number >>= 7)
		size++;
	return size;
}

size_t protobuf_framed(size_t len)
{
	return 1 + protobuf_varint_size(len) + len;
}

void protobuf_put_varint(struct protobuf_writer *w, size_t number)
{
	for (; number > 0x7f; number >>= 7)
		text_add_char(&w->out, (char)((number & 0x7f) | 0x80));
	text_add_char(&w->out, (char)number);
}

void protobuf_put_frame(struct protobuf_writer *w, unsigned field, size_t len)
{
	text_add_char(&w->out, (char)(field << 3 | 2));
	protobuf_put_varint(w, len);
}

void protobuf_put_fields(struct protobuf_writer *w, const ProtobufCMessage *message)
{
	(void)protobuf_c_message_pack_to_buffer(message, &w->buffer); /* its size */
}

void protobuf_put_message(struct protobuf_writer *w, unsigned field,
			  const ProtobufCMessage *message)
{
	protobuf_put_frame(w, field, protobuf_c_message_get_packed_size(message));
	protobuf_put_fields(w, message);
}
