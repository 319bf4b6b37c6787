/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker and the worker say to each other, over a pair of
 * SOCK_SEQPACKET sockets: one message is one packet.
 *
 *   broker -> worker                          worker -> broker
 *   RING      how to open the ring, once      READY     start CMD, if there is one
 *   TARGET    events will carry this number   REFRESH   send the counters
 *   STARTED   what there was is attached to   ANSWER    a frame starts at seq
 *   COUNTERS  of one target                   FETCH     send closes
 *   REFRESHED all counters were sent          DETACH    detach from everything
 *   CLOSES    that found no room in the ring
 *   DETACHED  and will not attach again
 *   WATCHED   so many cgroups are watched now
 *   UNSEEN    sockets of a target whose traffic does not pass the hooks
 *   STOP      end in good order
 *
 * Each kind has one size and one sender. channel_receive() lets nothing else
 * through, so whoever reads a message need not doubt its form: strings end,
 * numbers are in range. What a worker that was taken over can make the broker do
 * is in this list and nowhere else.
 */
#ifndef SIDELIGHT_BROKER_CHANNEL_H
#define SIDELIGHT_BROKER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/event.h"
#include "capture/ring.h"
#include "pod/target.h"

enum channel_kind {
	CHANNEL_RING,
	CHANNEL_TARGET,
	CHANNEL_STARTED,
	CHANNEL_COUNTERS,
	CHANNEL_REFRESHED,
	CHANNEL_CLOSES,
	CHANNEL_DETACHED,
	CHANNEL_STOP,
	CHANNEL_WATCHED,
	CHANNEL_UNSEEN,
	CHANNEL_READY, /* from here on: from the worker */
	CHANNEL_REFRESH,
	CHANNEL_ANSWER,
	CHANNEL_FETCH,
	CHANNEL_DETACH,
	CHANNEL_MAX,
};

/* Why the hooks do not see the traffic of a socket that a target has. */
enum unseen {
	UNSEEN_OTHER_CGROUP, /* it belongs to the cgroup where it was made */
	UNSEEN_SOCKMAP, /* it is in a BPF sockmap, and TCP carries nothing of it */
	UNSEEN_NO_SEGMENT, /* TCP carries data, and no segment is seen */
	UNSEEN_MAX,
};

enum channel_side { SIDE_BROKER, SIDE_WORKER };

/* CLOSE records in one message; fewer mean that there are no more. */
#define CHANNEL_CLOSES_MAX 16

struct channel_message {
	uint32_t kind; /* enum channel_kind */
	uint32_t count; /* CLOSES, WATCHED: how many */
	union {
		struct ring_layout ring; /* RING; the descriptors come with it */
		struct {
			uint64_t number; /* never 0; a later target has a higher one */
			char name[TARGET_NAME_MAX];
			uint64_t counters[SL_C_MAX]; /* COUNTERS only */
		} target; /* TARGET, COUNTERS */
		struct {
			uint64_t number; /* as in TARGET */
			char name[TARGET_NAME_MAX];
			uint32_t now[UNSEEN_MAX];
			uint32_t added[UNSEEN_MAX]; /* found since the message before */
		} unseen;
		struct {
			uint64_t resident_bytes; /* of the broker; 0: unknown */
			uint64_t cpu_ns; /* likewise */
			uint64_t looks; /* at the sockets of all targets, */
			uint64_t looks_cut; /* and those that did not come to the end */
		} refreshed;
		struct sl_close closes[CHANNEL_CLOSES_MAX];
		struct {
			uint64_t conn_id;
			uint32_t dir; /* enum dir */
			uint32_t seq;
		} answer;
	};
};

/* Bytes of a message of this kind on the wire; 0: there is no such kind. */
size_t channel_size(uint32_t kind);

/* Is this what `sender` may send: a kind of its own, whole, with all members in range? */
bool channel_is_valid(const struct channel_message *m, size_t size, enum channel_side sender);

/*
 * Sends one message without waiting. The descriptors of RING go with it and
 * stay the caller's. Returns 0 or negative errno; -EAGAIN: the other side does
 * not read.
 */
int channel_send(int fd, const struct channel_message *m);

/*
 * Receives one message of the other side, without waiting. Returns 0;
 * -EAGAIN: there is none; -EPIPE: the other side is gone; -EBADMSG: it sent
 * what it may not. The descriptors of RING are the caller's then; of no other
 * kind are any let in.
 */
int channel_receive(int fd, struct channel_message *ret_message, enum channel_side sender);

#endif
