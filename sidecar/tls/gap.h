/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records go on behind missing bytes.
 *
 * The next header is looked for in what comes: five bytes with few possible values in front of a
 * body whose tag is right under one of the record numbers that the missing bytes allow. The number
 * of records that are missing, and so the length of their plaintext, follows from that.
 */
#ifndef SIDELIGHT_TLS_GAP_H
#define SIDELIGHT_TLS_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "tls/cipher.h"

/* Tags that are verified for one gap, and bytes that they are of: 4 ms of AES-GCM. */
#define TLS_GAP_TRIES_MAX 1024u
#define TLS_GAP_BYTES_MAX (4u << 20)

/* Zeroed, there is no gap. */
struct tls_gap {
	bool is_open;
	bool has_lost; /* some of the missing bytes were never seen by anybody */
	uint64_t missing; /* bytes from where records were last known to the buffer */
	uint8_t *buffer; /* owned: what came behind them */
	uint32_t len;
	uint32_t alloc;
	unsigned tries; /* left */
	uint32_t tried_bytes; /* left */
};

enum tls_gap_state {
	TLS_GAP_OPEN, /* needs more bytes */
	TLS_GAP_CLOSED, /* a record was verified: see *ret */
	TLS_GAP_LOST, /* the record number cannot be found */
	TLS_GAP_NO_MEMORY,
};

struct tls_gap_end {
	uint32_t at; /* of the record's header in the buffer */
	uint64_t number; /* of the record */
	uint64_t plain_bytes; /* of the missing records; of stream ciphers */
};

/* len bytes are missing, or more of them. header_bytes: of a header that came before them. */
void tls_gap_miss(struct tls_gap *g, uint32_t len, uint32_t header_bytes, bool is_lost,
		  struct memory_account *memory);

/*
 * Bytes behind the gap. next: the number of the first record that may be missing. plain: room for a
 * record. The buffer is the gap's until tls_gap_release().
 */
enum tls_gap_state tls_gap_data(struct tls_gap *g, struct span data, const struct tls_cipher *c,
				uint64_t next, struct memory_account *memory, uint8_t *plain,
				struct tls_gap_end *ret);

void tls_gap_release(struct tls_gap *g, struct memory_account *memory);

#endif
