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
	return header[1] == 3 && header[2] == 3 &&
	       tls_header_is_valid(header, tls_cipher_body_max(c)) &&
	       (header[0] == TLS_APPLICATION_DATA || !tls_suite_is_tls13(c->suite)) &&
	       tls_header_len(header) >= tls_cipher_overhead(c);
}

/* TLS 1.3: false if the last byte of the plaintext is no content type, and no padding. */
static bool may_have_number(const struct tls_cipher *c, uint64_t number, const uint8_t *body,
			    uint32_t len)
{
	size_t overhead = tls_cipher_overhead(c);
	uint8_t type;

	if (!tls_suite_is_tls13(c->suite) || len == overhead)
		return true;
	tls_cipher_decrypt(c, number, body, len - overhead - 1, 1, &type);
	return type == 0 || (type >= TLS_CHANGE_CIPHER_SPEC && type <= TLS_HEARTBEAT);
}

/* What the numbers of a record behind the gap are looked for with. */
struct search {
	struct tls_gap *gap;
	const struct tls_cipher *cipher;
	uint64_t next; /* number of the first record that may be missing */
	const uint8_t *header; /* of the record, whose body follows */
	uint8_t *plaintext; /* room for it */
};

/* True if n records are missing before this one. Counts as a try. */
static bool is_number(const struct search *s, uint64_t n)
{
	struct tls_gap *g = s->gap;
	uint32_t len = tls_header_len(s->header);
	const uint8_t *body = s->header + TLS_HEADER_BYTES;
	size_t plaintext_len;

	g->tries--;
	if (!may_have_number(s->cipher, s->next + n, body, len))
		return false;
	g->tried_bytes -= len;
	return tls_cipher_open(s->cipher, s->next + n, s->header, body, len, s->plaintext,
			       &plaintext_len);
}

static bool may_try(const struct search *s)
{
	return s->gap->tries > 0 && s->gap->tried_bytes >= tls_header_len(s->header);
}

/* Tries numbers from `least` to `most`, by their distance from `likely`. */
static bool try_numbers(const struct search *s, uint64_t least, uint64_t most, uint64_t likely,
			uint64_t *ret_n)
{
	for (uint64_t distance = 0; distance <= most - least; distance++) {
		uint64_t n[2] = {likely + distance, likely - distance - 1};

		for (int i = 0; i < 2; i++) {
			if (n[i] < least || n[i] > most) /* also below zero */
				continue;
			if (!may_try(s))
				return false;
			if (is_number(s, n[i])) {
				*ret_n = n[i];
				return true;
			}
		}
	}
	return false;
}

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

/* True if the record at `at` can follow the missing bytes. */
static bool find_number(struct search *s, uint32_t at, const struct tls_shown *shown,
			struct tls_gap_end *ret)
{
	uint64_t missing = s->gap->missing + at;
	size_t shortest = TLS_HEADER_BYTES + tls_cipher_overhead(s->cipher);
	uint64_t least = divide_up(missing, TLS_HEADER_BYTES + tls_cipher_body_max(s->cipher));
	uint64_t most = missing / shortest;
	uint32_t len;
	uint64_t n;

	s->header = s->gap->buffer + at;
	len = tls_header_len(s->header);
	if (shown->are_nonces_counted) {
		n = tls_cipher_nonce(s->header + TLS_HEADER_BYTES) - shown->nonce_offset - s->next;
		if (n < least || n > most || !may_try(s) || !is_number(s, n))
			return false;
	} else {
		n = divide_up(missing, TLS_HEADER_BYTES + (len > shown->len ? len : shown->len));
		if (least > most || !try_numbers(s, least, most, n < most ? n : most, &n))
			return false;
	}
	*ret = (struct tls_gap_end){at, s->next + n, missing - n * shortest};
	return true;
}

/* Drops the bytes before `at`: they contain no header. */
static void drop_front(struct tls_gap *g, uint32_t at)
{
	g->missing += at;
	g->len -= at;
	memmove(g->buffer, g->buffer + at, g->len);
}

enum tls_gap_state tls_gap_data(struct tls_gap *g, struct span data, const struct tls_cipher *c,
				uint64_t next, const struct tls_shown *shown,
				struct memory_account *memory, uint8_t *plaintext,
				struct tls_gap_end *ret)
{
	struct search search = {.gap = g, .cipher = c, .next = next, .plaintext = plaintext};
	uint32_t at = 0;

	if (!append(g, data, memory))
		return TLS_GAP_NO_MEMORY;
	for (; at + TLS_HEADER_BYTES <= g->len; at++) {
		const uint8_t *header = g->buffer + at;

		if (!is_candidate(c, header))
			continue;
		if (at + TLS_HEADER_BYTES + tls_header_len(header) > g->len)
			break;
		if (find_number(&search, at, shown, ret))
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
