/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker that was taken over may send to the broker: the input is one
 * packet, of which the first bit says whose it is to be.
 *
 * It holds that what is let through is of a kind that this side may send, of
 * that kind's size, with its members in range, and that nothing else is.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/channel.h"
#include "fuzz.h"

static void check_worker(const struct channel_message *m)
{
	fuzz_check(m->kind >= CHANNEL_READY && m->kind < CHANNEL_MAX);
	if (m->kind == CHANNEL_ANSWER)
		fuzz_check(m->answer.dir <= DIR_EGRESS);
	if (m->kind == CHANNEL_MUTE)
		fuzz_check(m->mute.why > 0 && m->mute.why < SL_MUTE_MAX);
}

static void check_broker(const struct channel_message *m)
{
	fuzz_check(m->kind < CHANNEL_READY);
	if (m->kind == CHANNEL_CLOSES)
		fuzz_check(m->count <= CHANNEL_CLOSES_MAX);
	if (m->kind == CHANNEL_TARGET || m->kind == CHANNEL_COUNTERS)
		fuzz_check(m->target.number && strnlen(m->target.name, sizeof(m->target.name)) <
						       sizeof(m->target.name));
	if (m->kind == CHANNEL_UNSEEN)
		fuzz_check(m->unseen.number && strnlen(m->unseen.name, sizeof(m->unseen.name)) <
						       sizeof(m->unseen.name));
	if (m->kind == CHANNEL_SOCKETS)
		fuzz_check(m->count <= CHANNEL_SOCKETS_MAX);
	for (uint32_t i = 0; m->kind == CHANNEL_SOCKETS && i < m->count; i++)
		fuzz_check(m->sockets[i].role == SL_ROLE_SERVER ||
			   m->sockets[i].role == SL_ROLE_CLIENT);
	if (m->kind == CHANNEL_TLS)
		fuzz_check(m->tls.reach < TLS_REACH_MAX);
	/* Their descriptors did not come. */
	fuzz_check(m->kind != CHANNEL_RING && m->kind != CHANNEL_SECRETS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum channel_side side = size && data[0] & 1 ? SIDE_WORKER : SIDE_BROKER;
	struct channel_message m;
	int ends[2];

	if (size < 2 || size > 4 * sizeof(m) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		return 0;
	fuzz_check(send(ends[0], data + 1, size - 1, 0) == (ssize_t)size - 1);
	if (channel_receive(ends[1], &m, side) == 0) {
		fuzz_check(channel_size(m.kind) == size - 1);
		if (side == SIDE_WORKER)
			check_worker(&m);
		else
			check_broker(&m);
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return 0;
}
