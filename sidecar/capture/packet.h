/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One captured packet, from its link-layer header to its TCP payload.
 *
 * Understood: Ethernet with any number of VLAN tags, Linux cooked captures v1
 * and v2, raw IP, BSD loopback in both byte orders; IPv4 with options, IPv6
 * with extension headers. Fragments are recognised, not reassembled.
 * Checksums are not verified: captures on the sending host hold packets whose
 * checksum the network card fills in later.
 */
#ifndef SIDELIGHT_CAPTURE_PACKET_H
#define SIDELIGHT_CAPTURE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "capture/mptcp.h"

enum packet_fate {
	PACKET_TCP, /* the only one that fills *ret */
	PACKET_OTHER, /* well-formed, and neither IP nor TCP */
	PACKET_FRAGMENT, /* of an IP datagram, of TCP as far as that can be told */
	PACKET_CUT, /* the capture's snapshot length ends inside the headers */
	PACKET_MALFORMED, /* a length that contradicts another one */
	PACKET_FATE_MAX,
};

/* Bits of packet.flags: TCP's own (RFC 9293 section 3.1). */
enum {
	PACKET_FIN = 0x01,
	PACKET_SYN = 0x02,
	PACKET_RST = 0x04,
	PACKET_ACK = 0x10,
};

struct packet {
	struct endpoint src;
	struct endpoint dst;
	uint32_t seq;
	uint32_t ack; /* valid with PACKET_ACK */
	uint8_t flags;
	struct mptcp mptcp;
	struct span data; /* captured payload; points into the packet */
	uint32_t cut_bytes; /* payload after it, on the wire but not in the capture */
};

/* `link` is one of libpcap's DLT_ numbers. */
bool packet_link_is_known(int link);

/* wire_len: what the packet had on the wire, at least captured.len. */
enum packet_fate packet_parse(int link, struct span captured, size_t wire_len, struct packet *ret);

#endif
