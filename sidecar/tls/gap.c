/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/gap.h"

#include <string.h>

#include "tls/record.h"

void tls_gap_missing(struct tls_gap *g, uint32_t len, uint32_t header_bytes, bool is_lost,
		     struct memory_account *memory)
{
	uint64_t missing = g->missing + g->len + len + header_bytes;
	bool was_open = g->is_open;
	bool has_lost = g->has_lost || is_lost;
	unsigned tries = g->tries;
	uint32_t tried_bytes = g->tried_bytes;

	tls_gap_release(g, memory);
	g->is_open = true;
	g->has_lost = has_lost;
	g->missing = missing;
	g->tries = was_open ? tries : TLS_GAP_TRIES_MAX;
	g->tried_bytes = was_open ? tried_bytes : TLS_GAP_BYTES_MAX;
}

static bool append(struct tls_gap *g, struct span data, struct memory_account *memory)
{
	size_t need = g->len + data.len;
	uint8_t *buffer;

	if (need > g->alloc) {
		buffer = memory_realloc(memory, g->buffer, need);
		if (!buffer)
			return false;
		g->buffer = buffer;
		g->alloc = (uint32_t)need;
	}
	memcpy(g->buffer + g->len, data.ptr, data.len);
	g->len = (uint32_t)need;
	return true;
}

/* True if the header is possible for this cipher and has the usual version. */
static bool is_candidate(const struct tls_cipher *c, const uint8_t *header)
{
	return header[1] == 3 && header[2] == 3 && tls_header_is_valid(header, TLS_BODY_MAX) &&
	       (header[0] == TLS_APPLICATION_DATA || !tls_suite_is_tls13(c->suite)) &&
	       tls_header_len(header) >= tls_cipher_overhead(c);
}

/*
 * True if the record at `at` can follow `missing` bytes of records, the first of which has number
 * `next`.
 */
static bool find_number(struct tls_gap *g, const struct tls_cipher *c, uint64_t next, uint32_t at,
			uint8_t *plaintext, struct tls_gap_end *ret)
{
	const uint8_t *header = g->buffer + at;
	uint32_t len = tls_header_len(header);
	uint64_t missing = g->missing + at;
	size_t least = TLS_HEADER_BYTES + tls_cipher_overhead(c);
	uint64_t from =
		(missing + TLS_HEADER_BYTES + TLS_BODY_MAX - 1) / (TLS_HEADER_BYTES + TLS_BODY_MAX);
	size_t plaintext_len;

	for (uint64_t n = from; n <= missing / least; n++) {
		if (g->tries == 0 || g->tried_bytes < len)
			return false;
		g->tries--;
		g->tried_bytes -= len;
		if (tls_cipher_open(c, next + n, header, header + TLS_HEADER_BYTES, len, plaintext,
				    &plaintext_len)) {
			*ret = (struct tls_gap_end){at, next + n, missing - n * least};
			return true;
		}
	}
	return false;
}

/* Drops the bytes before `at`: they contain no header. */
static void drop_front(struct tls_gap *g, uint32_t at)
{
	g->missing += at;
	g->len -= at;
	memmove(g->buffer, g->buffer + at, g->len);
}

enum tls_gap_state tls_gap_data(struct tls_gap *g, struct span data, const struct tls_cipher *c,
				uint64_t next, struct memory_account *memory, uint8_t *plaintext,
				struct tls_gap_end *ret)
{
	uint32_t at = 0;

	if (!append(g, data, memory))
		return TLS_GAP_NO_MEMORY;
	for (; at + TLS_HEADER_BYTES <= g->len; at++) {
		const uint8_t *header = g->buffer + at;

		if (!is_candidate(c, header))
			continue;
		if (at + TLS_HEADER_BYTES + tls_header_len(header) > g->len)
			break;
		if (find_number(g, c, next, at, plaintext, ret))
			return TLS_GAP_CLOSED;
		if (g->tries == 0 || g->tried_bytes < TLS_BODY_MAX)
			return TLS_GAP_LOST;
	}
	drop_front(g, at);
	return TLS_GAP_OPEN;
}

void tls_gap_release(struct tls_gap *g, struct memory_account *memory)
{
	if (g->buffer)
		memory_free(memory, g->buffer);
	*g = (struct tls_gap){0};
}
