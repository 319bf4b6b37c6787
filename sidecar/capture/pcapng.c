/* SPDX-License-Identifier: Apache-2.0 */
/* Block and option numbers: draft-ietf-opsawg-pcapng, sections 4.1 to 4.4 and appendix A. */
#include "capture/pcapng.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SECTION	 0x0a0d0d0au /* the same in both byte orders */
#define BLOCK_INTERFACE	 1
#define BLOCK_OLD_PACKET 2
#define BLOCK_SIMPLE	 3
#define BLOCK_PACKET	 6

#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPTION_END	    0
#define OPTION_RESOLUTION   9
#define OPTION_OFFSET	    14
#define RESOLUTION_DEFAULT  6 /* microseconds */
#define RESOLUTION_BINARY   0x80
#define BLOCK_HEADER_SIZE   8
#define BLOCK_TRAILER_SIZE  4
#define INTERFACE_BODY_SIZE 8
#define PACKET_BODY_SIZE    20

/* The largest accepted time in seconds, which fits as nanoseconds. */
#define TIME_MAX_SEC 9000000000u

struct interface {
	int link;
	uint32_t snaplen; /* 0: none */
	uint8_t resolution;
	int64_t offset_sec;
};

struct pcapng {
	struct input *in;
	bool is_swapped; /* the section's byte order is not ours */
	bool has_section;
	const char *error;
	uint32_t block_len; /* length at the block's beginning */
	uint64_t left; /* unread bytes of the block's body */
	size_t count;
	struct interface *interfaces; /* of the current section */
	uint8_t packet[PCAPNG_PACKET_MAX];
};

static bool fail(struct pcapng *r, const char *why)
{
	if (!r->error)
		r->error = why;
	return false;
}

static bool fail_at_end(struct pcapng *r)
{
	return fail(r, input_error(r->in) ? input_error(r->in) : "truncated inside a block");
}

static uint16_t get16(const struct pcapng *r, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return r->is_swapped ? __builtin_bswap16(v) : v;
}

static uint32_t get32(const struct pcapng *r, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return r->is_swapped ? __builtin_bswap32(v) : v;
}

static uint64_t get64(const struct pcapng *r, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return r->is_swapped ? __builtin_bswap64(v) : v;
}

bool pcapng_is_file(const uint8_t *head)
{
	uint32_t type;

	memcpy(&type, head, sizeof(type));
	return type == BLOCK_SECTION;
}

/* Reads from the block's body. */
static bool read_body(struct pcapng *r, void *buf, size_t len)
{
	if (len > r->left)
		return fail(r, "a block is shorter than what it must hold");
	r->left -= len;
	return input_read_all(r->in, buf, len) == len || fail_at_end(r);
}

static bool skip_body(struct pcapng *r, uint64_t len)
{
	if (len > r->left)
		return fail(r, "a block is shorter than what it must hold");
	r->left -= len;
	return input_skip(r->in, len) || fail_at_end(r);
}

/* Skips the rest of the body and reads the second copy of the block's length. */
static bool end_block(struct pcapng *r)
{
	uint8_t trailer[BLOCK_TRAILER_SIZE];

	if (!skip_body(r, r->left))
		return false;
	if (input_read_all(r->in, trailer, sizeof(trailer)) != sizeof(trailer))
		return fail_at_end(r);
	return get32(r, trailer) == r->block_len ||
	       fail(r, "the two lengths of a block contradict each other");
}

/* 10 to the power of n, which fits up to n = 19. */
static uint64_t pow10_of(unsigned n)
{
	uint64_t v = 1;

	while (n-- > 0)
		v *= 10;
	return v;
}

uint64_t pcapng_time_ns(uint64_t ticks, uint8_t resolution, int64_t offset_sec)
{
	unsigned n = resolution & (RESOLUTION_BINARY - 1u);
	uint64_t sec = 0;
	uint64_t ns = 0;
	int64_t sum;

	if (resolution & RESOLUTION_BINARY) {
		if (n > 63) {
			ticks = n - 63 < 64 ? ticks >> (n - 63) : 0;
			n = 63;
		}
		sec = ticks >> n;
		ticks -= sec << n;
		/* 2^34 * 10^9 is the maximum that 64 bits hold. */
		if (n > 34) {
			ticks >>= n - 34;
			n = 34;
		}
		ns = ticks * 1000000000u >> n;
	} else if (n <= 19) { /* 10^19 is the largest power in 64 bits */
		sec = ticks / pow10_of(n);
		ticks %= pow10_of(n);
		ns = n <= 9 ? ticks * pow10_of(9 - n) : ticks / pow10_of(n - 9);
	}
	if (sec > TIME_MAX_SEC)
		sec = TIME_MAX_SEC;
	if (__builtin_add_overflow((int64_t)sec, offset_sec, &sum) || sum < 0)
		sum = offset_sec > 0 ? TIME_MAX_SEC : 0;
	if (sum > (int64_t)TIME_MAX_SEC)
		sum = TIME_MAX_SEC;
	return (uint64_t)sum * 1000000000u + ns;
}

/* Reads a section header, from behind the magic, which the caller has read. */
static bool read_section(struct pcapng *r)
{
	uint8_t version[4];

	r->has_section = true;
	r->count = 0;
	if (!read_body(r, version, sizeof(version)))
		return false;
	if (get16(r, version) != 1)
		return fail(r, "the version of the pcapng format is not 1");
	return true;
}

static bool read_options(struct pcapng *r, struct interface *i)
{
	while (r->left >= 4) {
		uint8_t head[4];
		uint8_t value[8] = {0};
		uint16_t code;
		uint16_t len;
		uint64_t padded;
		size_t take;

		if (!read_body(r, head, sizeof(head)))
			return false;
		code = get16(r, head);
		len = get16(r, head + 2);
		if (code == OPTION_END)
			return true;
		padded = ((uint64_t)len + 3) & ~3ull;
		take = len < sizeof(value) ? len : sizeof(value);
		if (!read_body(r, value, take) || !skip_body(r, padded - take))
			return false;
		if (code == OPTION_RESOLUTION && len == 1)
			i->resolution = value[0];
		else if (code == OPTION_OFFSET && len == 8)
			i->offset_sec = (int64_t)get64(r, value);
	}
	return true;
}

static bool read_interface(struct pcapng *r)
{
	uint8_t body[INTERFACE_BODY_SIZE];
	struct interface i = {.resolution = RESOLUTION_DEFAULT};
	struct interface *all;

	if (!read_body(r, body, sizeof(body)))
		return false;
	i.link = get16(r, body);
	i.snaplen = get32(r, body + 4);
	if (!read_options(r, &i))
		return false;
	if (r->count == PCAPNG_INTERFACES_MAX)
		return fail(r, "a section has more interfaces than are followed");
	/* The array is full whenever the count is a power of two. */
	if ((r->count & (r->count - 1)) == 0) {
		all = realloc(r->interfaces, (r->count ? r->count * 2 : 1) * sizeof(*all));
		if (!all)
			return fail(r, "no memory");
		r->interfaces = all;
	}
	r->interfaces[r->count++] = i;
	return true;
}

static bool read_data(struct pcapng *r, uint32_t captured, uint32_t wire, struct pcapng_packet *ret)
{
	uint32_t take = captured < PCAPNG_PACKET_MAX ? captured : PCAPNG_PACKET_MAX;

	if (captured > r->left)
		return fail(r, "a packet is longer than its block");
	ret->captured = (struct span){(const char *)r->packet, take};
	ret->wire_len = wire > captured ? wire : captured;
	return read_body(r, r->packet, take);
}

/*
 * Reads an Enhanced Packet Block or an obsolete Packet Block, which differ in the size of the
 * interface number.
 */
static bool read_packet(struct pcapng *r, bool is_old, struct pcapng_packet *ret)
{
	uint8_t body[PACKET_BODY_SIZE];
	const struct interface *i;
	uint32_t number;

	if (!read_body(r, body, sizeof(body)))
		return false;
	number = is_old ? get16(r, body) : get32(r, body);
	if (number >= r->count)
		return fail(r, "a packet of an interface that the section does not describe");
	i = &r->interfaces[number];
	ret->link = i->link;
	ret->has_time = true;
	ret->time_ns = pcapng_time_ns((uint64_t)get32(r, body + 4) << 32 | get32(r, body + 8),
				      i->resolution, i->offset_sec);
	return read_data(r, get32(r, body + 12), get32(r, body + 16), ret);
}

/*
 * Reads a Simple Packet Block: of the first interface, truncated at its snapshot length, without a
 * time.
 */
static bool read_simple(struct pcapng *r, struct pcapng_packet *ret)
{
	uint8_t body[4];
	uint64_t captured;
	uint32_t wire;

	if (!read_body(r, body, sizeof(body)))
		return false;
	if (r->count == 0)
		return fail(r, "a packet of an interface that the section does not describe");
	wire = get32(r, body);
	captured = r->left < wire ? r->left : wire;
	if (r->interfaces[0].snaplen && captured > r->interfaces[0].snaplen)
		captured = r->interfaces[0].snaplen;
	ret->link = r->interfaces[0].link;
	ret->has_time = false;
	ret->time_ns = 0;
	return read_data(r, (uint32_t)captured, wire, ret);
}

/*
 * Reads a block up to its body, or up to the magic of a section header. Returns false at the end or
 * on an error.
 */
static bool begin_block(struct pcapng *r, uint32_t *ret_type)
{
	uint8_t head[BLOCK_HEADER_SIZE];
	uint8_t magic[4];
	size_t n = input_read_all(r->in, head, sizeof(head));
	uint32_t known = 0;

	if (n == 0 && !input_error(r->in))
		return false;
	if (n != sizeof(head))
		return fail_at_end(r);
	if (pcapng_is_file(head)) {
		if (input_read_all(r->in, magic, sizeof(magic)) != sizeof(magic))
			return fail_at_end(r);
		r->is_swapped = false;
		r->is_swapped = get32(r, magic) != BYTE_ORDER_MAGIC;
		if (get32(r, magic) != BYTE_ORDER_MAGIC)
			return fail(r, "a section without byte order");
		known = sizeof(magic);
	} else if (!r->has_section) {
		return fail(r, "no section at the beginning");
	}
	*ret_type = get32(r, head);
	r->block_len = get32(r, head + 4);
	if (r->block_len < BLOCK_HEADER_SIZE + BLOCK_TRAILER_SIZE + known)
		return fail(r, "a block is shorter than what it must hold");
	/* Some writers omit the padding from the length. */
	r->left = (((uint64_t)r->block_len + 3) & ~3ull) - BLOCK_HEADER_SIZE - BLOCK_TRAILER_SIZE -
		  known;
	return true;
}

bool pcapng_next(struct pcapng *r, struct pcapng_packet *ret)
{
	uint32_t type;

	while (!r->error && begin_block(r, &type)) {
		bool is_packet = false;
		bool is_good = true;

		switch (type) {
		case BLOCK_SECTION:
			is_good = read_section(r);
			break;
		case BLOCK_INTERFACE:
			is_good = read_interface(r);
			break;
		case BLOCK_PACKET:
		case BLOCK_OLD_PACKET:
			is_packet = is_good = read_packet(r, type == BLOCK_OLD_PACKET, ret);
			break;
		case BLOCK_SIMPLE:
			is_packet = is_good = read_simple(r, ret);
			break;
		default:
			break;
		}
		if (!is_good || !end_block(r))
			return false;
		if (is_packet)
			return true;
	}
	return false;
}

const char *pcapng_error(const struct pcapng *r)
{
	return r->error;
}

struct pcapng *pcapng_new(struct input *in)
{
	struct pcapng *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	/* The buffer need not be zeroed. */
	memset(r, 0, offsetof(struct pcapng, packet));
	r->in = in;
	return r;
}

void pcapng_free(struct pcapng *r)
{
	if (!r)
		return;
	free(r->interfaces);
	free(r);
}
