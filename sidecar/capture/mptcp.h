/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses the MPTCP option of a TCP header (RFC 8684 section 3).
 */
#ifndef SIDELIGHT_CAPTURE_MPTCP_H
#define SIDELIGHT_CAPTURE_MPTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mptcp_kind {
	MPTCP_NONE, /* the header has no such option */
	MPTCP_CAPABLE_SYN, /* the SYN of a first subflow, which does not identify the connection */
	MPTCP_CAPABLE_KEY, /* a later segment of its handshake with the key: token is set */
	MPTCP_JOIN_SYN, /* the SYN of an additional subflow: token is set */
	MPTCP_JOIN_OTHER, /* a later segment of its handshake */
	MPTCP_OTHER, /* an option that any subflow may send */
};

struct mptcp {
	enum mptcp_kind kind;
	uint32_t token; /* identifies the connection */
};

/* options: the len bytes after the fixed TCP header. is_syn, is_ack: flags of the header. */
struct mptcp mptcp_parse(const uint8_t *options, size_t len, bool is_syn, bool is_ack);

#endif
