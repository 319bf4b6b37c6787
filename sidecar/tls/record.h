/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction's bytes, cut into TLS records.
 *
 * Bytes may be missing. Inside a record, whose header says where it ends, the record goes on with
 * a gap; anywhere else the reader has to be begun again at the next header, which is for the caller
 * to find (gap.h).
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

/* Of the body the bytes [0, head) and [tail, len) are there; of a whole record head is len. */
struct tls_record {
	uint8_t header[TLS_HEADER_BYTES];
	const uint8_t *body;
	uint32_t len;
	uint32_t head;
	uint32_t tail;
	bool has_lost; /* some of the missing bytes were never seen by anybody */
	uint32_t first_bytes; /* of the body, that came at first_ns */
	uint64_t first_ns;
	uint64_t last_ns; /* when the last byte came */
};

static inline bool tls_record_is_whole(const struct tls_record *r)
{
	return r->head == r->len;
}

/* Zeroed, it is in front of a header. */
struct tls_reader {
	struct tls_record record; /* that is being read; body is buffer, or not set yet */
	uint8_t header_bytes; /* that came */
	uint32_t at; /* bytes of the body that passed */
	uint8_t *buffer; /* owned: record.len bytes, or NULL */
	bool has_gap; /* record.tail is valid */
};

enum tls_read {
	TLS_READ_MORE, /* all was taken */
	TLS_READ_RECORD, /* *ret is there, borrowed until the next call */
	TLS_READ_MALFORMED, /* no record begins like this */
	TLS_READ_NO_MEMORY,
};

/* Is this the header of a record, with a body of up to max bytes? */
bool tls_header_is_sound(const uint8_t *header, size_t max);
static inline uint32_t tls_header_len(const uint8_t *header)
{
	return (uint32_t)header[3] << 8 | header[4];
}

/* Takes what it needs off the front of data. */
enum tls_read tls_reader_data(struct tls_reader *r, struct span *data, uint64_t time_ns,
			      struct memory_account *memory, struct tls_record *ret);

/*
 * *len bytes are missing: those inside the record at hand are taken off. What is left of *len with
 * TLS_READ_MORE is not inside a record.
 */
enum tls_read tls_reader_miss(struct tls_reader *r, uint32_t *len, bool is_lost, uint64_t time_ns,
			      struct memory_account *memory, struct tls_record *ret);

/* Back in front of a header. */
void tls_reader_release(struct tls_reader *r, struct memory_account *memory);

#endif
