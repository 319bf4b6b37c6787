/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the next record behind missing bytes.
 *
 * The search looks for a header: five bytes with few possible values, in front of a body whose tag
 * is valid under one of the record numbers that the number of missing bytes allows. That number
 * gives the number of missing records, and so the length of their plaintext. The first number that
 * is tried is the one with which all missing records are as long as the one before them, or the
 * one that was found. In TLS 1.3, the tag is verified only under numbers with which the last byte
 * of the plaintext can be a content type. In TLS 1.2, a sender that has counted records in its
 * explicit nonces goes on so, and the nonce gives the only number.
 */
#ifndef SIDELIGHT_TLS_GAP_H
#define SIDELIGHT_TLS_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "tls/cipher.h"

/* Limits for one gap: record numbers, and bytes whose tags are verified (4 ms of AES-GCM). */
#define TLS_GAP_TRIES_MAX (128u << 10)
#define TLS_GAP_BYTES_MAX (4u << 20)

/* What the last record before the gap has shown. All zeros: nothing. */
struct tls_shown {
	uint32_t len; /* of its body */
	bool are_nonces_counted; /* explicit nonce less number is what the record before it had */
	uint64_t nonce_offset; /* that difference */
};

/* All zeros: no gap. */
struct tls_gap {
	bool is_open;
	bool has_lost; /* some of the missing bytes are lost, not skipped */
	uint64_t missing; /* bytes between the last known end of a record and the buffer */
	uint8_t *buffer; /* owned: bytes behind the gap */
	uint32_t len;
	uint32_t alloc;
	unsigned tries; /* remaining */
	uint32_t tried_bytes; /* remaining */
};

enum tls_gap_state {
	TLS_GAP_OPEN, /* needs more bytes */
	TLS_GAP_CLOSED, /* a record was verified: see *ret */
	TLS_GAP_LOST, /* the record number can't be found */
	TLS_GAP_NO_MEMORY,
};

struct tls_gap_end {
	uint32_t at; /* offset of the record's header in the buffer */
	uint64_t number; /* number of that record */
	uint64_t plaintext_bytes; /* plaintext length of the missing records; stream ciphers only */
};

/*
 * len bytes, or len more bytes, are missing. header_bytes: bytes of an incomplete header before
 * them.
 */
void tls_gap_missing(struct tls_gap *g, uint32_t len, uint32_t header_bytes, bool is_lost,
		     struct memory_account *memory);

/*
 * Adds bytes behind the gap. next: number of the first record that may be missing. plaintext: room
 * for a record. The buffer belongs to the gap until tls_gap_release().
 */
enum tls_gap_state tls_gap_data(struct tls_gap *g, struct span data, const struct tls_cipher *c,
				uint64_t next, const struct tls_shown *shown,
				struct memory_account *memory, uint8_t *plaintext,
				struct tls_gap_end *ret);

void tls_gap_release(struct tls_gap *g, struct memory_account *memory);

#endif
