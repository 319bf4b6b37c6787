/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/packet.h"

#include <pcap/pcap.h>
#include <string.h>

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_IP6	0x86dd
#define ETHERTYPE_VLAN	0x8100
#define ETHERTYPE_QINQ	0x88a8
#define ETHERTYPE_QINQ1 0x9100 /* used before IEEE 802.1ad had a number */

/* Next-header values (RFC 8200 section 4, RFC 4302). */
#define NEXT_HOP_BY_HOP	 0
#define NEXT_TCP	 6
#define NEXT_ROUTING	 43
#define NEXT_FRAGMENT	 44
#define NEXT_AUTH	 51
#define NEXT_DESTINATION 60

/* The rest of the packet. len <= wire; the snapshot length cut off the difference. */
struct rest {
	const uint8_t *ptr;
	size_t len;
	size_t wire;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static bool rest_has(const struct rest *r, size_t n)
{
	return r->len >= n;
}

static void rest_drop(struct rest *r, size_t n)
{
	r->ptr += n;
	r->len -= n;
	r->wire -= n;
}

/* Drops the bytes behind the datagram (Ethernet padding, trailers). */
static void rest_limit(struct rest *r, size_t wire)
{
	r->wire = wire;
	if (r->len > wire)
		r->len = wire;
}

/* The result for missing headers: cut off by the capture, or malformed. */
static enum packet_fate rest_fate(const struct rest *r, size_t n)
{
	return r->wire >= n ? PACKET_CUT : PACKET_MALFORMED;
}

static enum packet_fate tcp_parse(struct rest r, struct packet *ret)
{
	size_t header;

	if (!rest_has(&r, 20))
		return rest_fate(&r, 20);
	ret->src.port = get16(r.ptr);
	ret->dst.port = get16(r.ptr + 2);
	ret->seq = get32(r.ptr + 4);
	ret->ack = get32(r.ptr + 8);
	ret->flags = r.ptr[13];
	header = (size_t)(r.ptr[12] >> 4) * 4;
	if (header < 20 || header > r.wire)
		return PACKET_MALFORMED;
	if (!rest_has(&r, header))
		return PACKET_CUT;
	ret->mptcp = mptcp_parse(r.ptr + 20, header - 20, ret->flags & PACKET_SYN,
				 ret->flags & PACKET_ACK);
	rest_drop(&r, header);
	ret->data = (struct span){(const char *)r.ptr, r.len};
	ret->cut_bytes = (uint32_t)(r.wire - r.len);
	return PACKET_TCP;
}

static enum packet_fate ip4_parse(struct rest r, struct packet *ret)
{
	size_t header;
	size_t total;

	if (!rest_has(&r, 20))
		return rest_fate(&r, 20);
	header = (size_t)(r.ptr[0] & 15) * 4;
	total = get16(r.ptr + 2);
	/* Zero: a segment over 64 KiB that the card will split (Linux "BIG TCP"). */
	if (total == 0)
		total = r.wire;
	if (r.ptr[0] >> 4 != 4 || header < 20 || total < header)
		return PACKET_MALFORMED;
	if (r.ptr[9] != NEXT_TCP)
		return PACKET_OTHER;
	if (get16(r.ptr + 6) & 0x3fff) /* more fragments, or an offset */
		return PACKET_FRAGMENT;
	rest_limit(&r, total);
	if (!rest_has(&r, header))
		return PACKET_CUT;
	ret->src.family = ret->dst.family = 4;
	memcpy(ret->src.addr, r.ptr + 12, 4);
	memcpy(ret->dst.addr, r.ptr + 16, 4);
	rest_drop(&r, header);
	return tcp_parse(r, ret);
}

static enum packet_fate ip6_parse(struct rest r, struct packet *ret)
{
	size_t payload;
	uint8_t next;

	if (!rest_has(&r, 40))
		return rest_fate(&r, 40);
	if (r.ptr[0] >> 4 != 6)
		return PACKET_MALFORMED;
	payload = get16(r.ptr + 4);
	next = r.ptr[6];
	ret->src.family = ret->dst.family = 6;
	memcpy(ret->src.addr, r.ptr + 8, 16);
	memcpy(ret->dst.addr, r.ptr + 24, 16);
	rest_drop(&r, 40);
	if (payload) /* zero: a jumbogram, or a segment that the card will split */
		rest_limit(&r, payload);
	while (next != NEXT_TCP) {
		size_t header;

		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_DESTINATION &&
		    next != NEXT_FRAGMENT && next != NEXT_AUTH)
			return PACKET_OTHER;
		if (!rest_has(&r, 8))
			return rest_fate(&r, 8);
		header = ((size_t)r.ptr[1] + 1) * 8;
		if (next == NEXT_AUTH)
			header = ((size_t)r.ptr[1] + 2) * 4;
		if (next == NEXT_FRAGMENT) {
			/* Offset zero without more fragments is a complete datagram (RFC 6946). */
			if (get16(r.ptr + 2) & 0xfff9)
				return PACKET_FRAGMENT;
			header = 8;
		}
		if (!rest_has(&r, header))
			return rest_fate(&r, header);
		next = r.ptr[0];
		rest_drop(&r, header);
	}
	return tcp_parse(r, ret);
}

static enum packet_fate ethertype_parse(struct rest r, uint16_t type, struct packet *ret)
{
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ1) {
		if (!rest_has(&r, 4))
			return rest_fate(&r, 4);
		type = get16(r.ptr + 2);
		rest_drop(&r, 4);
	}
	if (type == ETHERTYPE_IP4)
		return ip4_parse(r, ret);
	if (type == ETHERTYPE_IP6)
		return ip6_parse(r, ret);
	return PACKET_OTHER;
}

static enum packet_fate raw_parse(struct rest r, struct packet *ret)
{
	if (!rest_has(&r, 1))
		return rest_fate(&r, 1);
	return r.ptr[0] >> 4 == 6 ? ip6_parse(r, ret) : ip4_parse(r, ret);
}

/*
 * The address family has the byte order of the capturing host (DLT_NULL) or is big-endian
 * (DLT_LOOP), and each BSD has its own number for IPv6. The version nibble of IP therefore decides.
 * A family above 255 in both byte orders is not IP.
 */
static enum packet_fate loopback_parse(struct rest r, struct packet *ret)
{
	uint32_t family;

	if (!rest_has(&r, 4))
		return rest_fate(&r, 4);
	family = get32(r.ptr);
	rest_drop(&r, 4);
	if (family > 0xff && family & 0x00ffffff)
		return PACKET_OTHER;
	return raw_parse(r, ret);
}

bool packet_link_is_known(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
		return true;
	default:
		return false;
	}
}

enum packet_fate packet_parse(int link, struct span captured, size_t wire_len, struct packet *ret)
{
	struct rest r = {(const uint8_t *)captured.ptr, captured.len, wire_len};
	size_t header;
	size_t type_at;
	uint16_t type;

	if (r.wire < r.len)
		r.wire = r.len;
	*ret = (struct packet){0};
	switch (link) {
	case DLT_EN10MB:
		header = 14;
		type_at = 12;
		break;
	case DLT_LINUX_SLL:
		header = 16;
		type_at = 14;
		break;
	case DLT_LINUX_SLL2:
		header = 20;
		type_at = 0;
		break;
	case DLT_NULL:
	case DLT_LOOP:
		return loopback_parse(r, ret);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return raw_parse(r, ret);
	default:
		return PACKET_OTHER;
	}
	if (!rest_has(&r, header))
		return rest_fate(&r, header);
	type = get16(r.ptr + type_at);
	rest_drop(&r, header);
	return ethertype_parse(r, type, ret);
}
