/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/mptcp.h"

#include "bpf/mptcp_token.h"

/* The option kinds that have no length (RFC 9293 section 3.1). */
#define OPTION_END	    0
#define OPTION_NO_OPERATION 1

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Returns the first MPTCP option, of which all bytes are there, or NULL. */
static const uint8_t *find_option(const uint8_t *options, size_t len)
{
	size_t at = 0;

	while (at < len && options[at] != OPTION_END) {
		size_t size = 1;

		if (options[at] != OPTION_NO_OPERATION) {
			if (len - at < 2 || options[at + 1] < 2 || options[at + 1] > len - at)
				return NULL;
			size = options[at + 1];
			if (options[at] == MPTCP_OPTION && size >= 4)
				return options + at;
		}
		at += size;
	}
	return NULL;
}

static uint32_t compute_token(uint32_t key_high, uint32_t key_low)
{
	struct mptcp_hash h;

	mptcp_hash_begin(&h, key_high, key_low);
	for (uint32_t i = 0; i < MPTCP_HASH_ROUNDS; i++)
		mptcp_hash_round(&h, i);
	return mptcp_hash_end(&h);
}

/* The SYN-ACK contains the server's key only; the client's ACK both, the server's second. */
static struct mptcp parse_capable(const uint8_t *option, bool is_syn, bool is_ack)
{
	const uint8_t *key = option + (is_syn ? 4 : 12);
	struct mptcp ret = {.kind = MPTCP_OTHER};

	if ((option[2] & 0x0f) != MPTCP_VERSION)
		return ret;
	if (is_syn && !is_ack) {
		ret.kind = MPTCP_CAPABLE_SYN;
	} else if (option[1] >= (is_syn ? 12 : 20)) {
		ret.kind = MPTCP_CAPABLE_KEY;
		ret.token = compute_token(get32(key), get32(key + 4));
	}
	return ret;
}

struct mptcp mptcp_parse(const uint8_t *options, size_t len, bool is_syn, bool is_ack)
{
	const uint8_t *option = find_option(options, len);
	struct mptcp ret = {.kind = MPTCP_NONE};

	if (!option)
		return ret;
	switch (option[2] >> 4) {
	case MPTCP_CAPABLE:
		return parse_capable(option, is_syn, is_ack);
	case MPTCP_JOIN:
		ret.kind = MPTCP_JOIN_OTHER;
		if (is_syn && !is_ack && option[1] >= 8) {
			ret.kind = MPTCP_JOIN_SYN;
			ret.token = get32(option + 4);
		}
		return ret;
	default:
		ret.kind = MPTCP_OTHER;
		return ret;
	}
}
