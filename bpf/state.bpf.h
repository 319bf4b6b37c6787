/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The state that the BPF programs keep for each socket, and the maps that they share with user
 * space.
 */
#ifndef SIDELIGHT_STATE_BPF_H
#define SIDELIGHT_STATE_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "direction.bpf.h"
#include "event.h"

/* Flights without HTTP before a connection is muted. */
#define UNKNOWN_FLIGHTS 8

/* The protocol that the first bytes of a flight have shown, besides HTTP/2. */
enum first_protocol {
	PROTOCOL_UNKNOWN,
	PROTOCOL_HTTP1, /* a response started like HTTP/1 */
	PROTOCOL_TLS, /* a handshake started, and user space decrypts it: see reads_tls */
};

/* Bytes of a head that are scanned after one load, and bytes behind them that are loaded with them.
 */
#define SCAN_CHUNK     184
#define SCAN_LOOKAHEAD 48

/*
 * Working memory of scan_head(). It is not on the stack because the verifier allows no unaligned
 * words there. It belongs to the direction that has set is_scanning.
 */
struct scan {
	__u32 pos;
	__u32 base; /* position of buf[0] */
	__u32 filled; /* end of the positions that are in buf */
	__u32 length_at; /* position of the value of Content-Length; 0: not seen */
	__u32 coding_at; /* position of Transfer-Encoding, which overrides it; 0: not seen */
	__u8 buf[SCAN_CHUNK + SCAN_LOOKAHEAD];
};

enum frames_sync { FRAMES_SYNCED, FRAMES_UNSYNCED, FRAMES_TENTATIVE };

/* Bytes in which the frame parser searches for headers after one load. */
#define HEADERS_CHUNK 48

/* The frame parser of one direction of HTTP/2, see frame_parser.bpf.h. */
struct frame_parser {
	union {
		struct {
			__u32 copy_left; /* bytes of the current frame that are still copied */
			__u32 skip_left; /* bytes of it behind those that are skipped */
		};
		__u64 frame_left; /* both; 0: a frame begins at at_seq, unless is_exceptional */
	};
	union {
		struct {
			__u8 sync; /* enum frames_sync */
			__u8 head_len; /* bytes of a partial frame header, in head */
			__u8 preface_left; /* bytes of the preface that are still compared */
			bool expects_settings; /* the next frame has to be SETTINGS */
		};
		/*
		 * All four; not 0: not synchronised, inside of a frame header or the preface, or
		 * before the first SETTINGS.
		 */
		__u32 is_exceptional;
	};
	__u32 at_seq; /* sequence number of the byte that this state describes */
	__u32 ask_seq; /* sequence number of the last question; valid if has_asked */
	bool has_asked;
	bool ends_stream; /* the last DATA frame ends its stream */
	/* Working memory for the current slice; positions count from its first byte. */
	__u8 flags; /* of its record */
	bool is_withheld; /* the record is not sent */
	__u32 copy_end; /* end of the bytes that are copied */
	__u32 pos; /* end of the bytes that are parsed */
	__u32 chunk_pos; /* position of chunk[0] */
	__u32 cut_above; /* DATA frames above this length are cut */
	__u32 end_stream_extra; /* added to cut_above for a frame that ends its stream */
	__u32 skipped_types; /* frames that are not copied, one bit for each type */
	__u32 allowed_types; /* types that the next frame may have, likewise */
	__u32 later_types; /* types that the frames after it may have, likewise */
	__u8 head[24]; /* a partial frame header, and room to append a whole one anywhere */
	__u8 chunk[HEADERS_CHUNK];
};

/* Since when a connection is followed. */
enum start {
	START_NONE,
	START_MADE, /* a CPU sets the members of its state: no other may use it */
	START_SEEN, /* from its first byte on */
	/* It is older than this process: no callback reports its start or end. */
	START_MISSED,
};

/*
 * Events that show how a connection ends, counted in one word, because two CPUs may count at once
 * and kernel 5.10 has no atomic operation for programs but addition. If another program on the
 * cgroup has cleared the flag for state callbacks, there is no ENDS_CLOSING before the socket's own
 * FIN, and no ENDS_ESTABLISHED before an RST.
 */
enum {
	ENDS_FIN = 1, /* a direction is_finished */
	ENDS_FIN_ALL = 0xff,
	ENDS_ESTABLISHED = 1 << 8, /* a callback for BPF_TCP_ESTABLISHED */
	ENDS_CLOSING = 1 << 16, /* a callback for the state in which the socket sends its FIN */
	ENDS_CLOSING_ALL = 0xff << 16,
	/* An RST of the peer; the callback that follows reports the end. */
	ENDS_PEER_RESET = 1 << 24,
};

struct sock_state {
	/* Rarely written members. The first three are those of struct sl_socket: */
	__u64 id;
	__u32 opened;
	__u8 role;
	__u8 unknown_flights;
	__u8 mute; /* enum sl_mute, or SL_MUTE_MAX after CLOSE; 0: the connection is captured */
	bool is_open; /* OPEN was sent */
	__u8 protocol; /* enum first_protocol */
	bool is_head[2]; /* the last request was HEAD; by enum sl_dir */
	bool is_connect[2]; /* likewise CONNECT */
	__u8 start; /* enum start */
	bool is_closed; /* its end is counted, and CLOSE was sent */
	__u8 upgrade_by; /* 1 + enum sl_dir that sent a 101, which ends HTTP/1; 0: none did */
	bool is_http2; /* a candidate for HTTP/2, or confirmed */
	bool is_confirmed; /* it is HTTP/2; only ever set, since both directions may do so */
	bool was_candidate; /* it was a candidate before */
	bool is_scanning; /* a CPU uses scan; under the lock */
	__u32 candidate_budget[2]; /* bytes that may be sent before HTTP/2 is confirmed */
	__u32 candidate_time; /* when it became a candidate, as `opened` */
	__u64 clock_ns; /* a recent reading of the clock */
	__u32 ends; /* ENDS_* */
	/*
	 * Guards is_scanning; who creates the state; parser_state, but for egress of confirmed
	 * HTTP/2 (needs_lock()); is_closed among segments, but not between a segment and the
	 * callback of the end.
	 */
	struct bpf_spin_lock lock;
	struct direction direction[2]; /* by enum sl_dir */
	union {
		struct scan scan; /* HTTP/1 */
		struct frame_parser parser[2]; /* HTTP/2; by enum sl_dir */
	};
};

/*
 * The kernel adds 72 bytes, and allocates the sum from the slab of the next size: 512. With the 192
 * bytes of the object that holds a socket's storages, a connection that is followed is charged
 * 704 bytes, and 8 bytes for each of both objects.
 */
_Static_assert(sizeof(struct sock_state) <= 512 - 72, "a slab of 512 bytes");

/* Replaces struct sock_state when a connection is muted: 96 bytes instead of 512. */
struct muted_state {
	__u64 id; /* the first three are those of struct sl_socket */
	__u32 opened;
	__u8 role;
	__u8 is_open; /* OPEN was sent, so CLOSE has to be sent */
	__u8 is_released; /* it is not counted in `storages` any more */
	__u8 is_midstream; /* as in struct sock_state, likewise is_closed and is_finished */
	__u8 is_closed;
	__u8 is_finished[2]; /* by enum sl_dir */
	__u8 pad;
	__u32 ends;
};

#define STARTS_LIKE_SOCKET(type)                                                                   \
	(__builtin_offsetof(struct type, id) == __builtin_offsetof(struct sl_socket, id) &&        \
	 __builtin_offsetof(struct type, opened) ==                                                \
		 __builtin_offsetof(struct sl_socket, opened) &&                                   \
	 __builtin_offsetof(struct type, role) == __builtin_offsetof(struct sl_socket, role))

_Static_assert(STARTS_LIKE_SOCKET(sock_state) && STARTS_LIKE_SOCKET(muted_state), "layout");

_Static_assert(sizeof(struct muted_state) <= 96 - 72, "a slab of 96 bytes");

/*
 * Each direction has cache lines of its own, see README.md. The kernel puts a pointer before the
 * value, and the pointer at the start of a line (struct bpf_local_storage_elem).
 */
#define LINE		   64
#define STARTS_LINE(field) ((8 + __builtin_offsetof(struct sock_state, field)) % LINE == 0)

_Static_assert(STARTS_LINE(direction[SL_INGRESS]) && STARTS_LINE(direction[SL_EGRESS]),
	       "cache lines of its own");
_Static_assert(STARTS_LINE(parser[SL_INGRESS]) && STARTS_LINE(parser[SL_EGRESS]), "likewise");

/* TLS: has so much of the flight been copied that its rest may be a long body? */
static __always_inline bool is_long_flight(const struct direction *d)
{
	return TLS_BUDGET - d->budget > TLS_ASK_AFTER;
}

/* Sets the protocol, which both directions read; writes to its cache line only if it changes. */
static __always_inline void set_protocol(struct sock_state *st, enum first_protocol protocol)
{
	if (*(volatile __u8 *)&st->protocol != protocol)
		st->protocol = protocol;
}

/* Sets a flag that both directions read; writes to its cache line only if it changes. */
static __always_inline void set_flag(bool *flag, bool value)
{
	if (*(volatile bool *)flag != value)
		*flag = value;
}

/* Extends a sequence number that is not above next, as next is extended. */
static __always_inline __u64 position(const struct direction *d, __u32 seq)
{
	__u64 next = d->next;

	return next - ((__u32)next - seq);
}

/*
 * The start of the bytes that a record up to seq reports. Another CPU may have reported more, for a
 * duplicate of the segment.
 */
static __always_inline __u32 unreported_start(const struct direction *d, __u32 seq)
{
	__u32 reported_seq = d->reported_seq;

	return (__s32)(seq - reported_seq) < 0 ? seq : reported_seq;
}

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sock_state);
} socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct muted_state);
} muted SEC(".maps");

/* The state of the packet's socket. NULL: it is no full socket, or not followed. */
static __always_inline struct sock_state *find_state(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_storage_get(&socks, sk, NULL, 0) : NULL;
}

/*
 * One value per attached cgroup, shared by its three programs (key of 8
 * bytes: kernel 5.9, commit 7d9c3427894f). Costs one load to find, where a hash would
 * cost a look-up per packet.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct sl_cgroup);
} cgroups SEC(".maps");

/*
 * Answers of user space to SL_F_ASK, by the connection's id. Also stores that a preface was seen
 * with the listener's socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct sl_verdict);
} verdicts SEC(".maps");

/*
 * CLOSE records for which the ring had no room, but for those of muted connections: no later record
 * would report them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SL_LATE_CLOSES);
	__uint(key_size, 0);
	__uint(value_size, sizeof(struct sl_close));
} late_closes SEC(".maps");

/* Shared with user space by mmap. */
volatile __u32 has_late_close; /* late_closes is not empty */
/*
 * Bytes of directions that were never synchronised, sent since the reader drained, and their limit.
 * Many such connections at once would fill the ring. The count is not exact.
 */
volatile __u32 unsynced_bytes;
volatile __u32 unsynced_max;

/*
 * Number of sockets with a state, in both maps and of all cgroups, and its limit. When user space
 * detaches a cgroup, it subtracts those that are left: FOLLOWED minus RELEASED.
 */
volatile __u64 storages SEC(".data.count"); /* not mapped by the process that reads the ring */
const volatile __u64 storages_max;
/* User space may get the secrets of TLS connections, so they are copied instead of muted. */
volatile __u32 reads_tls SEC(".data.count");

/* Set once, with the first out-of-order segment, which egress segments may confirm. */
volatile __u32 has_out_of_order;

/* The largest possible receive window, computed from tcp_rmem and rmem_max. */
const volatile __u32 window_max;

const volatile bool has_current_pid; /* the helper bpf_get_current_pid_tgid() exists (6.10) */

/*
 * The PID namespace whose numbers records have: device and inode of its file, as the kernel encodes
 * them. 0: the initial one, whose numbers take no translation.
 */
const volatile __u64 pid_ns_dev;
const volatile __u64 pid_ns_ino;

/*
 * The thread that executes the program, with the process in the upper half: on egress usually the
 * one that writes. 0: the kernel does not tell, or it is not in the namespace.
 */
static __always_inline __u64 current_thread(void)
{
	struct bpf_pidns_info ns = {};

	if (!has_current_pid)
		return 0;
	if (!pid_ns_ino)
		return bpf_get_current_pid_tgid();
	if (bpf_get_ns_current_pid_tgid(pid_ns_dev, pid_ns_ino, &ns, sizeof(ns)))
		return 0;
	return (__u64)ns.tgid << 32 | ns.pid;
}

/* Are all programs attached? Before the last one is, one direction would be missed. */
static __always_inline bool is_attached(void)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	return cg->is_attached;
}

static __always_inline void count_exact(enum sl_counter which)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	__sync_fetch_and_add(&cg->counter[which], 1);
}

/* The time now, for `opened`: never 0. */
static __always_inline __u32 coarse_time(void)
{
	return (__u32)(bpf_ktime_get_ns() >> SL_TIME_SHIFT) | 1;
}

/*
 * An increment may be lost if a softirq interrupts the addition. Counters that must add up use
 * count_exact().
 */
static __always_inline void count(enum sl_counter which, __u64 n)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	cg->counter[which] += n;
}

/*
 * How many CPUs send an ingress segment before `next`, or move that over a gap (enter_ingress()).
 * The socket may have acknowledged such a one all the same, since a copy can reach it first:
 * neighbouring segments that two CPUs hand in change places, and the sender sends the one that
 * seems lost again. Until finish_segment(), what the socket has received must not be taken for
 * sent.
 */
static __always_inline __u8 ingress_busy(const struct sock_state *st)
{
	return *(volatile __u8 *)&st->direction[SL_INGRESS].busy;
}

/* Stores that ingress bytes are sent out of order. */
static __always_inline void mark_out_of_order(struct direction *d, enum order order)
{
	if (d->order < order)
		d->order = order;
	if (!has_out_of_order)
		has_out_of_order = 1;
}

/*
 * Creates a state, initialised with zeros, whose members the caller sets before set_start().
 * Returns NULL if there is no room, which is counted, or if another CPU creates it.
 */
static __always_inline struct sock_state *create_state(void *sk)
{
	struct sock_state *st;
	bool is_ours;

	/* Signed, in case two CPUs ever release the same state. */
	if ((__s64)storages >= (__s64)storages_max) {
		count_exact(SL_C_LOST_CAP);
		return NULL;
	}
	st = bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!st) {
		count_exact(SL_C_LOST_STORAGE);
		return NULL;
	}
	bpf_spin_lock(&st->lock);
	is_ours = st->start == START_NONE;
	if (is_ours)
		st->start = START_MADE;
	bpf_spin_unlock(&st->lock);
	if (!is_ours)
		return NULL;
	__sync_fetch_and_add(&storages, 1);
	count_exact(SL_C_FOLLOWED);
	return st;
}

static __always_inline void set_start(struct sock_state *st, enum start start)
{
	*(volatile __u8 *)&st->start = start;
}

static __always_inline bool has_started(const struct sock_state *st)
{
	return *(volatile __u8 *)&st->start > START_MADE;
}

/* Subtracts the socket's state, in either map, from the count. */
static __always_inline void release_state(void)
{
	__sync_fetch_and_add(&storages, -1);
	count_exact(SL_C_RELEASED);
}

/* Segments of one direction whose volume is added to the counters at once. */
#define VOLUME_SEGMENTS 16

/* Adds the volume of a direction to the cgroup's counters, see README.md. */
static __always_inline void flush_volume(struct direction *d)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	cg->counter[SL_C_SEGMENTS] += d->segments;
	cg->counter[SL_C_RECORDS] += d->records;
	cg->counter[SL_C_BYTES_SEEN] += d->bytes_seen;
	cg->counter[SL_C_BYTES_SENT] += d->bytes_sent;
	d->segments = 0;
	d->records = 0;
	d->bytes_seen = 0;
	d->bytes_sent = 0;
}

#endif
