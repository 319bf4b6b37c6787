/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the bytes of one direction into TLS records.
 *
 * Bytes may be missing. If they are inside a record, whose header gives its length, the record is
 * incomplete. Anywhere else the caller has to find the next header (gap.h) and reset the reader.
 */
#ifndef SIDELIGHT_TLS_RECORD_H
#define SIDELIGHT_TLS_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "tls/cipher.h"

enum tls_content {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
	TLS_HEARTBEAT = 24,
};

/* Bytes [0, head) and [tail, len) of the body are present; a complete record has head == len. */
struct tls_record {
	uint8_t header[TLS_HEADER_BYTES];
	const uint8_t *body;
	uint32_t len;
	uint32_t head;
	uint32_t tail;
	bool has_lost; /* some of the missing bytes are lost, not skipped */
	uint32_t first_bytes; /* bytes of the body that came at first_ns */
	uint64_t first_ns;
	uint64_t last_ns; /* time of the last byte */
};

static inline bool tls_record_is_complete(const struct tls_record *r)
{
	return r->head == r->len;
}

/* All zeros: in front of a header. */
struct tls_reader {
	struct tls_record record; /* the current record; body is buffer, or not set yet */
	uint8_t header_bytes; /* bytes of the header so far */
	uint32_t at; /* bytes of the body so far */
	uint8_t *buffer; /* owned: record.len bytes, or NULL */
	bool has_gap; /* record.tail is valid */
};

enum tls_read {
	TLS_READ_MORE, /* all bytes were consumed */
	TLS_READ_RECORD, /* *ret is a record, borrowed until the next call */
	TLS_READ_MALFORMED, /* malformed header */
	TLS_READ_NO_MEMORY,
};

/* True if this can be the header of a record with a body of at most max bytes. */
bool tls_header_is_valid(const uint8_t *header, size_t max);
static inline uint32_t tls_header_len(const uint8_t *header)
{
	return (uint32_t)header[3] << 8 | header[4];
}

/* Consumes bytes from the front of data up to the end of a record. */
enum tls_read tls_reader_data(struct tls_reader *r, struct span *data, uint64_t time_ns,
			      struct memory_account *memory, struct tls_record *ret);

/*
 * *len bytes are missing. Subtracts from *len the bytes inside the current record. If the rest is
 * not 0 with TLS_READ_MORE, it is outside of records.
 */
enum tls_read tls_reader_missing(struct tls_reader *r, uint32_t *len, bool is_lost,
				 uint64_t time_ns, struct memory_account *memory,
				 struct tls_record *ret);

/* Resets the reader to the start of a header. */
void tls_reader_release(struct tls_reader *r, struct memory_account *memory);

#endif
