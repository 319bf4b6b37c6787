/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/record.h"

#include <string.h>

bool tls_header_is_valid(const uint8_t *header, size_t max)
{
	/* Any minor version: in TLS 1.3 it has no meaning (RFC 8446 section 5.1). */
	return header[0] >= TLS_CHANGE_CIPHER_SPEC && header[0] <= TLS_HEARTBEAT &&
	       header[1] == 3 && header[2] <= 4 && tls_header_len(header) <= max;
}

/*
 * The record is complete. It stays valid, in the buffer or in the caller's data, until the next
 * call.
 */
static enum tls_read finish(struct tls_reader *r, const uint8_t *body, uint64_t time_ns,
			    struct tls_record *ret)
{
	r->record.body = body;
	r->record.last_ns = time_ns;
	if (!r->has_gap)
		r->record.head = r->record.tail = r->record.len;
	*ret = r->record;
	r->header_bytes = 0;
	return TLS_READ_RECORD;
}

static bool need_buffer(struct tls_reader *r, struct memory_account *memory)
{
	if (!r->buffer)
		r->buffer = memory_alloc(memory, r->record.len);
	return r->buffer;
}

/* Frees the buffer of the previous record before anything is read. */
static void begin(struct tls_reader *r, struct memory_account *memory)
{
	if (r->header_bytes > 0)
		return;
	tls_reader_release(r, memory);
}

static void take_header(struct tls_reader *r, struct span *data, uint64_t time_ns)
{
	size_t n = TLS_HEADER_BYTES - r->header_bytes;

	if (n > data->len)
		n = data->len;
	if (n == 0)
		return;
	if (n == TLS_HEADER_BYTES) /* a constant length: no call */
		memcpy(r->record.header, data->ptr, TLS_HEADER_BYTES);
	else
		memcpy(r->record.header + r->header_bytes, data->ptr, n);
	r->header_bytes += (uint8_t)n;
	r->record.first_ns = time_ns;
	*data = span_from(*data, n);
}

enum tls_read tls_reader_data(struct tls_reader *r, struct span *data, uint64_t time_ns,
			      struct memory_account *memory, struct tls_record *ret)
{
	const uint8_t *from;
	size_t n;

	begin(r, memory);
	take_header(r, data, time_ns);
	if (r->header_bytes < TLS_HEADER_BYTES)
		return TLS_READ_MORE;
	if (r->at == 0) {
		if (!tls_header_is_valid(r->record.header, TLS_BODY_MAX))
			return TLS_READ_MALFORMED;
		r->record.len = tls_header_len(r->record.header);
	}
	from = (const uint8_t *)data->ptr;
	n = r->record.len - r->at < data->len ? r->record.len - r->at : data->len;
	if (time_ns == r->record.first_ns)
		r->record.first_bytes += (uint32_t)n;
	*data = span_from(*data, n);
	if (n == r->record.len)
		return finish(r, from, time_ns, ret);
	if (n == 0)
		return TLS_READ_MORE;
	if (!need_buffer(r, memory))
		return TLS_READ_NO_MEMORY;
	memcpy(r->buffer + r->at, from, n);
	r->at += (uint32_t)n;
	return r->at == r->record.len ? finish(r, r->buffer, time_ns, ret) : TLS_READ_MORE;
}

enum tls_read tls_reader_missing(struct tls_reader *r, uint32_t *len, bool is_lost,
				 uint64_t time_ns, struct memory_account *memory,
				 struct tls_record *ret)
{
	uint32_t n;

	begin(r, memory);
	if (r->header_bytes < TLS_HEADER_BYTES)
		return TLS_READ_MORE;
	if (r->at == 0)
		r->record.len = tls_header_len(r->record.header);
	n = r->record.len - r->at < *len ? r->record.len - r->at : *len;
	if (n == 0)
		return TLS_READ_MORE;
	if (!need_buffer(r, memory))
		return TLS_READ_NO_MEMORY;
	if (!r->has_gap)
		r->record.head = r->at;
	r->has_gap = true;
	r->record.has_lost |= is_lost;
	r->at += n;
	r->record.tail = r->at;
	*len -= n;
	return r->at == r->record.len ? finish(r, r->buffer, time_ns, ret) : TLS_READ_MORE;
}

void tls_reader_release(struct tls_reader *r, struct memory_account *memory)
{
	if (r->buffer)
		memory_free(memory, r->buffer);
	*r = (struct tls_reader){0};
}
