/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses one captured packet from its link-layer header to its TCP payload.
 *
 * Supported: Ethernet with any number of VLAN tags, Linux cooked captures v1 and v2, raw IP, BSD
 * loopback in both byte orders; IPv4 with options, IPv6 with extension headers. Fragments are
 * recognised, not reassembled. Checksums are not verified: on the sending host the network card
 * fills them in after the capture.
 */
#ifndef SIDELIGHT_CAPTURE_PACKET_H
#define SIDELIGHT_CAPTURE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "capture/mptcp.h"

enum packet_fate {
	PACKET_TCP, /* TCP; only this result fills *ret */
	PACKET_OTHER, /* well-formed, but not IP, or not TCP */
	PACKET_FRAGMENT, /* a fragment of an IP datagram that carries TCP */
	PACKET_CUT, /* the snapshot length ends inside the headers */
	PACKET_MALFORMED, /* contradicting lengths */
	PACKET_FATE_MAX,
};

/* Bits of packet.flags, as in TCP (RFC 9293 section 3.1). */
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
	uint32_t cut_bytes; /* payload behind it that the capture does not contain */
};

/* True for the supported link types; link is a DLT_ number of libpcap. */
bool packet_link_is_known(int link);

/* Parses a packet. wire_len: its length on the wire, at least captured.len. */
enum packet_fate packet_parse(int link, struct span captured, size_t wire_len, struct packet *ret);

#endif
