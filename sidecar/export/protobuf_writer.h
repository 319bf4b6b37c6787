/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of protobuf that hold others by the thousand, written one after the other, so that they
 * never stand whole in memory: the encoding of a message is that of its fields in any order. What
 * holds others is written as a frame, whose length must be known before.
 */
#ifndef SIDELIGHT_EXPORT_PROTOBUF_WRITER_H
#define SIDELIGHT_EXPORT_PROTOBUF_WRITER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "metrics/text.h"

struct protobuf_writer {
	ProtobufCBuffer buffer; /* first: its address is the writer's */
	struct text out;
	text_part_fn fn;
	void *ctx; /* of fn */
	bool has_stopped; /* fn wants no more */
};

void protobuf_writer_init(struct protobuf_writer *w, text_part_fn fn, void *ctx);
void protobuf_writer_release(struct protobuf_writer *w);

/* Hands over what is there: to be called where a message ends, once there are some KiB. */
void protobuf_writer_flush(struct protobuf_writer *w);
/* The same if there is enough for a part. */
void protobuf_writer_flush_part(struct protobuf_writer *w);

/* Bytes of a number as a varint; of a field, whose number is below 16, that holds len bytes. */
size_t protobuf_varint_size(size_t number);
size_t protobuf_framed(size_t len);

void protobuf_put_varint(struct protobuf_writer *w, size_t number);
/* The tag and the length of a field below 16; its bytes follow. */
void protobuf_put_frame(struct protobuf_writer *w, unsigned field, size_t len);
/* The fields of a message, without a frame. */
void protobuf_put_fields(struct protobuf_writer *w, const ProtobufCMessage *message);
/* A field below 16 that holds the message. */
void protobuf_put_message(struct protobuf_writer *w, unsigned field,
			  const ProtobufCMessage *message);

#endif
