/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of the mapped ring, beside a model of the producer in bpf/ring.bpf.h.
 * The first byte of the input says which kind of ring (bit 0) and where it begins; each operation
 * is a byte, its argument the next one:
 *   0 reserve a record, 1 commit the oldest open one, 2 discard it, 3 commit the newest,
 *   4 read all there is, 5 release, 6 rewind, 7 skip
 * Payload is taken from the input, so that it may look like a record. It holds that
 *   - every committed record is read once, complete and in order, and nothing else;
 *   - no record is read before all before it are committed or discarded;
 *   - records that were read but not released are not overwritten.
 */
#include <string.h>

#include "capture/mapped.h"
#include "fuzz.h"

#define RING_BYTES   (128u << 10) /* rewinding begins at 64 KiB */
#define SEAL	     0x8123456789abcdefull
#define RECORDS_MAX  256
#define PAYLOAD_UNIT 32u /* an argument is a length in these */

enum state { OPEN, COMMITTED, DISCARDED };

struct record {
	uint64_t at;
	uint32_t len;
	uint8_t fill;
	enum state state;
};

struct play {
	struct mapped m;
	struct sl_shared shared;
	char *memory; /* ends where the sanitizer detects reads beyond */
	const uint8_t *input;
	size_t input_len;
	struct record records[RECORDS_MAX]; /* in the order of the ring */
	size_t count;
	size_t read; /* of them */
};

static uint32_t header(const struct play *p)
{
	return p->m.seal ? 8 : BPF_RINGBUF_HDR_SZ;
}

/* Bytes behind the end belong to the beginning in the ring buffer, which is mapped twice. */
static void store(struct play *p, uint64_t at, const void *bytes, size_t len)
{
	size_t offset = at & p->m.mask;
	size_t size = p->m.mask + 1;

	memcpy(p->memory + offset, bytes, len);
	if (p->m.seal)
		return;
	for (size_t i = 0; i < len; i++) {
		size_t where = (offset + i) % size;

		p->memory[where] = ((const char *)bytes)[i];
		if (where + size < size + SL_RECORD_MAX)
			p->memory[where + size] = ((const char *)bytes)[i];
	}
}

static void store_word(struct play *p, const struct record *r)
{
	uint32_t whole = r->len + header(p);
	uint64_t word = SL_RECORD(r->at, whole);
	uint32_t len = r->len;

	if (p->m.seal) {
		if (r->state == DISCARDED)
			word |= SL_RECORD_DISCARDED;
		word ^= r->state == OPEN ? 0 : SEAL;
		store(p, r->at, &word, sizeof(word));
	} else {
		len |= r->state == OPEN ? BPF_RINGBUF_BUSY_BIT : 0;
		len |= r->state == DISCARDED ? BPF_RINGBUF_DISCARD_BIT : 0;
		store(p, r->at, &len, sizeof(len));
	}
}

static void reserve(struct play *p, uint8_t arg)
{
	uint32_t len = 8 + arg % 64 * PAYLOAD_UNIT;
	uint64_t at = p->shared.produced;
	struct record *r = &p->records[p->count];
	uint8_t payload[8 + 64 * PAYLOAD_UNIT];

	if (p->count == RECORDS_MAX || at + len + header(p) - p->shared.consumed > RING_BYTES)
		return;
	/* The beginning is what the input has, the rest one byte. */
	*r = (struct record){.at = at, .len = len, .fill = arg, .state = OPEN};
	memset(payload, arg, len);
	for (uint32_t i = 0; i + sizeof(at) <= len && i < p->input_len; i++)
		payload[i] = p->input[i];
	store(p, at + header(p), payload, len);
	store_word(p, r);
	__atomic_store_n(&p->shared.produced, at + ((len + header(p) + 7) & ~7u), __ATOMIC_RELEASE);
	p->count++;
}

static void finish(struct play *p, bool is_newest, enum state state)
{
	for (size_t i = 0; i < p->count; i++) {
		struct record *r = &p->records[is_newest ? p->count - 1 - i : i];

		if (r->state != OPEN)
			continue;
		r->state = state;
		store_word(p, r);
		return;
	}
}

static void read_all(struct play *p)
{
	const uint8_t *got;
	uint32_t len;

	while ((got = mapped_next(&p->m, &len))) {
		while (p->read < p->count && p->records[p->read].state == DISCARDED)
			p->read++;
		fuzz_check(p->read < p->count);
		fuzz_check(p->records[p->read].state == COMMITTED);
		fuzz_check(p->records[p->read].len == len);
		fuzz_check(got >= (const uint8_t *)p->memory &&
			   got + len <= (const uint8_t *)p->memory + RING_BYTES + SL_RECORD_MAX);
		fuzz_check(got[len - 1] == p->records[p->read].fill);
		p->read++;
	}
	while (p->read < p->count && p->records[p->read].state == DISCARDED)
		p->read++;
	fuzz_check(p->read == p->count || p->records[p->read].state == OPEN);
}

static void operate(struct play *p, uint8_t operation, uint8_t arg)
{
	switch (operation % 8) {
	case 0:
		reserve(p, arg);
		break;
	case 1:
		finish(p, false, COMMITTED);
		break;
	case 2:
		finish(p, false, DISCARDED);
		break;
	case 3:
		finish(p, true, COMMITTED);
		break;
	case 4:
		read_all(p);
		break;
	case 5:
		mapped_release(&p->m);
		break;
	case 6:
		read_all(p); /* it is for a ring that is empty */
		if (p->read == p->count)
			mapped_rewind(&p->m);
		break;
	default:
		/* All of it, also what is still open: its producer finishes it unseen. */
		mapped_skip(&p->m);
		p->read = p->count;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play *p;

	if (size < 1)
		return 0;
	p = calloc(1, sizeof(*p));
	fuzz_check(p);
	p->memory = calloc(1, RING_BYTES + SL_RECORD_MAX);
	fuzz_check(p->memory);
	p->input = data;
	p->input_len = size;
	p->shared.produced = p->shared.consumed = (uint64_t)(data[0] >> 1) * 1024;
	p->m = (struct mapped){
		.data = p->memory,
		.mask = RING_BYTES - 1,
		.at = p->shared.produced,
		.end = p->shared.produced,
		.seal = data[0] & 1 ? SEAL : 0,
		.consumed = (uint64_t *)&p->shared.consumed,
		.produced = (uint64_t *)&p->shared.produced,
	};
	for (size_t i = 1; i + 1 < size; i += 2)
		operate(p, data[i], data[i + 1]);
	while (p->count > p->read && p->records[p->count - 1].state == OPEN)
		finish(p, true, COMMITTED);
	free(p->memory);
	free(p);
	return 0;
}
