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
 *   WATCHED   so many cgroups are watched now   LOOK      for TLS libraries, again
 *   UNSEEN    sockets of a target whose       MUTE      a connection of which nothing
 *             traffic does not pass the hooks           more is needed
 *   SECRETS   how to read those of TLS handshakes, at most once
 *   TLS       which TLS connections can be decrypted
 *   SOCKETS   open connections of targets     LIST      open connections: begin, or go on
 *   LISTED    these were all, or a part
 *   NAMED     what a process is called        PROCESS   what is it called?
 *   COUNTING  whether system calls are        COUNT     count system calls, or do not
 *             counted
 *   CALLS     system calls of targets
 *   CALL_ERRORS  their errors by number
 *   HEADER_LIST  that a program has of a  WANT_LISTS  of connections that are
 *             block of HTTP/2                           older than us: these
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
#include "bpf/header_lists.h"
#include "capture/ring.h"
#include "capture/secret_ring.h"
#include "pod/process.h"
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
	CHANNEL_SECRETS,
	CHANNEL_TLS,
	CHANNEL_SOCKETS,
	CHANNEL_LISTED,
	CHANNEL_NAMED,
	CHANNEL_COUNTING,
	CHANNEL_CALLS,
	CHANNEL_CALL_ERRORS,
	CHANNEL_HEADER_LIST,
	CHANNEL_READY, /* from here on: from the worker */
	CHANNEL_REFRESH,
	CHANNEL_ANSWER,
	CHANNEL_FETCH,
	CHANNEL_DETACH,
	CHANNEL_LOOK,
	CHANNEL_MUTE,
	CHANNEL_LIST,
	CHANNEL_PROCESS,
	CHANNEL_COUNT,
	CHANNEL_WANT_LISTS,
	CHANNEL_MAX,
};

/* Why the hooks do not see the traffic of a socket that a target has. */
enum unseen {
	UNSEEN_OTHER_CGROUP, /* it belongs to the cgroup where it was made */
	UNSEEN_SOCKMAP, /* it is in a BPF sockmap, and TCP carries nothing of it */
	UNSEEN_NO_SEGMENT, /* TCP carries data, and no segment is seen */
	UNSEEN_MAX,
};

/* Of which connections secrets come. */
enum tls_reach {
	TLS_REACH_OFF, /* of none: nobody has asked for it */
	TLS_REACH_KERNEL, /* of none: the kernel does not allow the probes */
	TLS_REACH_NO_LIBRARY, /* of none: no process has a library that can be probed */
	TLS_REACH_PROBED, /* of processes that have a probe */
	TLS_REACH_MAX,
};

enum channel_side { SIDE_BROKER, SIDE_WORKER };

/* CLOSE records in one message; fewer mean that there are no more. */
#define CHANNEL_CLOSES_MAX 16
/* Sockets in one message. */
#define CHANNEL_SOCKETS_MAX 8
/* Connections in one message. */
#define CHANNEL_WANTED_MAX 16
/*
 * What the broker's end holds until the worker reads, as the kernel counts: a message of 1 KB is
 * charged 2304 bytes. A REFRESH is answered with as many COUNTERS as there are targets, at most 64
 * (147 KB), and a list of sockets comes in parts.
 */
#define CHANNEL_ROOM (1024 * 1024)

/* Durations of system calls: those of at most 2^10, 2^12, ... 2^34 ns, and the rest. */
#define CHANNEL_CALL_BOUNDS	13
#define CHANNEL_CALL_FIRST_BITS 10
#define CHANNEL_CALL_BITS	2
/* Rows in one message. */
#define CHANNEL_CALLS_MAX	8
#define CHANNEL_CALL_ERRORS_MAX 32

/* A system call of a target, since its counting began. */
struct channel_call {
	uint64_t number; /* of the target, as in TARGET; 0: of those without rows of their own */
	uint64_t call; /* capture/syscall_list.h */
	uint64_t count;
	uint64_t bytes;
	uint64_t time_ns;
	uint64_t blocked_ns; /* time of calls in which the thread slept */
	uint64_t errors;
	uint64_t bucket[CHANNEL_CALL_BOUNDS + 1]; /* not cumulative */
};

struct channel_call_error {
	uint64_t number;
	uint64_t count;
	uint32_t call;
	uint32_t error; /* errno; 512 and above: numbers of the kernel for interrupted calls */
};

/* A connection of a target, as the kernel lists it. */
struct channel_socket {
	uint64_t number; /* of the target, as in TARGET */
	uint64_t conn_id; /* of its events; 0: it has none */
	uint64_t cookie; /* unique while the machine runs */
	uint64_t bytes_received; /* payload, as the next one */
	uint64_t bytes_sent; /* and acknowledged */
	uint64_t window_limited_us; /* sending waited so long for the peer's receive window */
	uint32_t local_addr[4]; /* network order; IPv4 in [0], the rest zero */
	uint32_t remote_addr[4];
	uint16_t local_port; /* host order */
	uint16_t remote_port;
	uint32_t opened; /* as in struct sl_socket */
	uint32_t srtt_us;
	uint32_t retransmits;
	uint32_t send_window; /* that the peer has advertised */
	uint32_t receive_window;
	uint8_t family; /* 4 or 6 */
	uint8_t role; /* enum sl_role; never unknown */
	uint8_t has_receive_window;
	uint8_t pad[5];
};

struct channel_message {
	uint32_t kind; /* enum channel_kind */
	/*
	 * CLOSES, WATCHED, SOCKETS, CALLS, CALL_ERRORS, WANT_LISTS: how many; NAMED,
	 * PROCESS: number of the process; COUNTING, COUNT: 1 for yes
	 */
	uint32_t count;
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
			uint64_t lists_lost; /* header lists that are not handed over */
		} refreshed;
		struct sl_close closes[CHANNEL_CLOSES_MAX];
		int secret_fds[SECRET_RING_MAPS]; /* SECRETS; they come with it */
		struct {
			uint32_t reach; /* enum tls_reach */
			uint32_t probes; /* that are attached now */
		} tls;
		struct channel_socket sockets[CHANNEL_SOCKETS_MAX];
		struct {
			uint64_t has_more; /* LIST goes on */
			uint64_t is_new; /* of a list that began since the one before ended */
			uint64_t is_cut; /* sockets were left out */
		} listed;
		struct channel_call calls[CHANNEL_CALLS_MAX];
		struct channel_call_error call_errors[CHANNEL_CALL_ERRORS_MAX];
		struct {
			uint64_t beginnings; /* all rows began again at each */
			uint64_t lost; /* calls that are in no row, as the next ones */
			uint64_t of_32bit; /* of 32-bit programs */
			uint64_t errors_unnamed; /* errors that are not among CALL_ERRORS */
			uint64_t reads_lost; /* reads that the capture was not told of */
			uint64_t filter_ns; /* that a system call of anybody takes longer */
			uint64_t network_filter_ns; /* network calls of others */
		} counting;
		struct {
			uint64_t started_ns; /* of CLOCK_MONOTONIC; 0: unknown */
			char name[PROCESS_COMM_MAX]; /* printable; "": it has ended */
		} named;
		struct {
			struct sl_list_ends ends; /* of the connection, in any order */
			uint32_t stream;
			uint8_t is_server; /* of the program, as the next */
			uint8_t is_written;
			uint8_t is_end; /* END_STREAM */
			uint8_t pad;
			uint32_t bytes; /* of text: see proto/http2_recall.h */
			uint32_t pad2;
			char text[SL_LIST_BYTES_MAX];
		} header_list;
		struct sl_list_ends wanted[CHANNEL_WANTED_MAX]; /* WANT_LISTS */
		struct {
			uint64_t conn_id;
			uint32_t dir; /* enum dir */
			uint32_t seq;
		} answer;
		struct {
			uint64_t conn_id;
			uint64_t why; /* enum sl_mute */
		} mute;
	};
};

/* Bytes of a message of this kind on the wire; 0: there is no such kind. */
size_t channel_size(uint32_t kind);

/* Is this what `sender` may send: a kind of its own, whole, with all members in range? */
bool channel_is_valid(const struct channel_message *m, size_t size, enum channel_side sender);

/*
 * The broker's end and the worker's, close-on-exec. The broker's takes CHANNEL_ROOM bytes, if the
 * process has CAP_NET_ADMIN, or else what net.core.wmem_max allows. Returns 0 or negative errno.
 */
int channel_open(int ret_ends[2]);

/*
 * Sends one message without waiting. The descriptors of RING and SECRETS go with it and
 * stay the caller's. Returns 0 or negative errno; -EAGAIN: the other side does
 * not read.
 */
int channel_send(int fd, const struct channel_message *m);

/* Messages of which there may be many. */
enum channel_bulk {
	CHANNEL_BULK_ROWS, /* CALLS and CALL_ERRORS */
	CHANNEL_BULK_LISTS, /* HEADER_LIST */
};

/*
 * The same for bulk: -EAGAIN also when more waits to be read than its share of the channel, which
 * is 1/8 for rows, 1/16 for lists. So lists leave room for rows, and both for the messages without
 * which the other side is taken for dead.
 */
int channel_send_bulk(int fd, const struct channel_message *m, enum channel_bulk bulk);

/*
 * Receives one message of the other side, without waiting. Returns 0;
 * -EAGAIN: there is none; -EPIPE: the other side is gone; -EBADMSG: it sent
 * what it may not. The descriptors of RING and SECRETS are the caller's then; of
 * no other kind are any let in.
 */
int channel_receive(int fd, struct channel_message *ret_message, enum channel_side sender);

#endif
