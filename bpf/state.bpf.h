/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel half remembers, per socket and per cgroup.
 */
#ifndef SIDELIGHT_STATE_BPF_H
#define SIDELIGHT_STATE_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

/* Copied per turn before only tails follow: the head limit of user space. */
#define FLIGHT_BUDGET (16u << 10)
/* Likewise once a head ended and its body's length is not known. */
#define BODY_BUDGET (4u << 10)
/*
 * Likewise while messages are pipelined, whose starts are not looked for one by one: more than
 * clients have in flight before a response comes, and half of the ring.
 */
#define PIPELINE_BUDGET (1u << 20)
/* Turns without HTTP before a connection is muted. */
#define UNKNOWN_FLIGHTS 8

/* Bytes of a head that are loaded together, and how far behind one of them is read. */
#define SCAN_CHUNK     184
#define SCAN_LOOKAHEAD 48

/*
 * Working space of scan_head(), here because the verifier allows no unaligned
 * words on the stack. It belongs to the direction that has set is_scanning.
 */
struct scan {
	__u32 pos;
	__u32 base; /* position of buf[0] */
	__u32 filled; /* positions below are in buf */
	__u32 length_at; /* where the value of Content-Length starts; 0: not seen */
	__u32 coding_at; /* where Transfer-Encoding, which overrides it, was seen */
	__u8 buf[SCAN_CHUNK + SCAN_LOOKAHEAD];
};

/*
 * Was anything of ingress ever sent out of order, which the socket has to confirm? WITHOUT_WALK:
 * what was sent last, for another CPU was at the frames before it.
 */
enum order { ORDER_KEPT, ORDER_GAP, ORDER_PARSER_BUSY };

/* Of one direction in HTTP/2: are its frames set up, and is a CPU at them? */
enum parser_state { PARSER_UNUSED, PARSER_IDLE, PARSER_BUSY };

/* Of the PROXY header, which may be before the first byte of a connection. See proxy.bpf.h. */
enum proxy {
	PROXY_NOT_SEEN, /* none has begun */
	PROXY_DONE, /* it has ended, or was none */
	PROXY_FIRST_BYTES, /* one may begin with the next byte */
	PROXY_V1, /* a line may have begun */
	PROXY_V2,
	PROXY_V2_ADDRESSES, /* likewise of version 2, and its length is known */
};

/*
 * Of one direction; written by that direction's program only. A segment and a
 * duplicate of it may be at work on two CPUs at once: what they set are
 * positions, to which both come, and no differences, which would add up.
 */
struct direction {
	__u64 next; /* end of what was seen: a sequence number that goes on beyond 2^32 */
	/*
	 * Bytes from next to here, counted alike, are known to be body. After a 101 of this
	 * direction that leads to HTTP/2: the sequence number of its first frame; 0: not known.
	 */
	__u64 skip_to;
	union {
		__u64 ask_ns; /* when the last question where frames start was asked; 0: never */
		/* Before HTTP/2: see proxy.bpf.h. PROXY_DONE reads as a question of long ago. */
		struct {
			__u8 proxy; /* enum proxy */
			__u8 proxy_pos; /* bytes of the header that were before */
			__u16 proxy_left; /* PROXY_V2_ADDRESSES: bytes of it that follow */
			__u32 proxy_seq; /* the header goes on here */
		};
	};
	__u32 reported_seq; /* end of what user space was told */
	__u32 first_seq; /* of the direction, or of what was seen of it */
	__u32 ack; /* the highest acknowledgement that was acceptable; may count a FIN */
	__u32 flight_ack; /* likewise the last one that had new data */
	__u32 budget; /* bytes that may still be copied in this turn */
	/* What the cgroup's counters were not told yet: flush_volume() */
	__u32 bytes_seen;
	__u32 bytes_sent;
	__u16 segments;
	__u16 records;
	bool is_flight_start; /* the next byte to send is the first of a turn */
	bool at_message_start; /* a message starts with the next byte, by the length of the last */
	bool is_body_expected; /* skip_to was set with the body's first byte still to come */
	bool is_finished; /* its FIN was seen in sequence */
	bool is_unsynced; /* frames began before us, and nobody has said yet where they start */
	__u8 parser_state; /* enum parser_state; frames belong to who made it PARSER_BUSY */
	__u8 order; /* enum order */
	__u8 ask_backoff; /* the next question may come after ASK_LEAST_NS << ask_backoff */
};

enum frames_sync { FRAMES_SYNCED, FRAMES_UNSYNCED, FRAMES_TENTATIVE };

/* Bytes of a piece in which frame headers are looked for together. */
#define HEADERS_CHUNK 48

/* Of one direction in HTTP/2: the place among its frames. See frames.bpf.h. */
struct frame_parser {
	union {
		struct {
			__u32 copy_left; /* bytes of the frame that are sent, */
			__u32 skip_left; /* and behind them, those that are not */
		};
		__u64 frame_left; /* 0: a frame starts here, if is_exceptional says no */
	};
	union {
		struct {
			__u8 sync; /* enum frames_sync */
			__u8 head_len; /* bytes in head */
			__u8 preface_left; /* bytes of the preface still to be compared */
			bool expects_settings; /* the next frame has to be SETTINGS */
		};
		__u32 is_exceptional;
	};
	__u32 at_seq; /* all that is true of the byte with this sequence number */
	__u32 ask_seq; /* what the last question was about; valid if has_asked */
	bool has_asked;
	bool ends_stream; /* the last DATA frame ends its stream */
	__u8 flags; /* of the record of the piece at hand, */
	bool is_withheld; /* which is not sent, */
	/* and from its first byte on: what is sent ends here, */
	__u32 copy_end;
	__u32 pos; /* and what was walked here; */
	__u32 chunk_pos; /* chunk starts here; */
	__u32 cut_above; /* size of a DATA frame that may be cut, */
	__u32 end_stream_extra; /* so much more if it ends its stream; */
	__u32 skipped_types; /* frames that are left out, a bit for each type */
	__u32 allowed_types; /* what the next frame may be, likewise */
	__u32 later_types; /* and those after it */
	__u8 head[24]; /* what has come of a frame header, and room to write at any place of it */
	__u8 chunk[HEADERS_CHUNK];
};

/*
 * What is known of the end of a connection: added up in one word, since two CPUs may be at it, and
 * kernel 5.10 has no other atomic operation. Another program on the cgroup can clear the flags for
 * which the kernel calls sl_sockops() when the state of a socket changes. Then no ENDS_CLOSING
 * comes before the socket's own FIN, nor ENDS_ESTABLISHED before an RST.
 */
enum {
	ENDS_FIN = 1, /* a direction is_finished */
	ENDS_FIN_ALL = 0xff,
	ENDS_ESTABLISHED = 1 << 8, /* a callback for BPF_TCP_ESTABLISHED */
	ENDS_CLOSING = 1 << 16, /* a callback for the state in which the socket sends its FIN */
	ENDS_CLOSING_ALL = 0xff << 16,
};

struct sock_state {
	/* Seldom written: */
	__u64 id;
	__u8 role;
	__u8 unknown_flights;
	__u8 mute; /* enum sl_mute, or SL_MUTE_MAX once CLOSE was sent; 0 while captured */
	bool is_open; /* OPEN was sent */
	bool is_http; /* a response was seen to start like HTTP/1 */
	bool is_head[2]; /* the last message begun was a HEAD request; by enum sl_dir */
	bool is_connect[2]; /* likewise CONNECT */
	bool is_midstream; /* older than we are: no callback told its start, or will tell its end */
	bool is_closed; /* its end is counted, and CLOSE was sent */
	__u8 upgrade_by; /* 1 + enum sl_dir that sent a 101: HTTP/1 is over; 0: none did */
	bool is_http2; /* it is taken for HTTP/2, */
	bool is_confirmed; /* and it is: set once, and by itself, for both directions may be at it
			    */
	bool was_candidate; /* it was looked at as HTTP/2 before */
	bool is_scanning; /* a CPU is in scan_head(); under the lock */
	__u32 candidate_budget[2]; /* bytes that may be sent while it is not known to be HTTP/2 */
	__u64 candidate_ns; /* since then it may be */
	__u64 clock_ns; /* a reading of the clock, not much older than the newest */
	__u32 ends; /* ENDS_* */
	/* Of is_scanning, is_closed, and a direction becoming or ceasing to be PARSER_BUSY. */
	struct bpf_spin_lock lock;
	struct direction direction[2]; /* by enum sl_dir */
	union {
		struct scan scan; /* HTTP/1 */
		struct frame_parser parser[2]; /* HTTP/2; by enum sl_dir */
	};
};

/*
 * The kernel puts 72 bytes before the value, and takes the sum from the slab of the next size: 512.
 * With the 192 bytes of what holds a socket's storages, a connection that is followed is charged
 * 704 bytes and 8 for each of both objects.
 */
_Static_assert(sizeof(struct sock_state) <= 512 - 72, "a slab of 512 bytes");

/* What is left of a connection that is muted: 96 bytes in place of 512. */
struct muted_state {
	__u64 id;
	__u8 is_open; /* OPEN was sent, and a CLOSE will be */
	__u8 is_released; /* it is not in the count of storages any more */
	__u8 is_midstream; /* as in struct sock_state, likewise the next two */
	__u8 is_closed;
	__u8 is_finished[2]; /* by enum sl_dir */
	__u8 role;
	__u8 pad;
	__u32 ends;
	__u32 pad2;
};

_Static_assert(sizeof(struct muted_state) <= 96 - 72, "a slab of 96 bytes");

/*
 * Requests and responses often pass on two CPUs, and to read what another CPU has just written
 * takes longer than all that is done with it. So each direction writes lines of the cache of its
 * own, and in its ordinary course reads none of the other's. The kernel puts a pointer before our
 * value, and that at the start of a line (struct bpf_local_storage_elem).
 */
#define LINE		   64
#define STARTS_LINE(field) ((8 + __builtin_offsetof(struct sock_state, field)) % LINE == 0)

_Static_assert(STARTS_LINE(direction[SL_INGRESS]) && STARTS_LINE(direction[SL_EGRESS]),
	       "lines of its own");
_Static_assert(STARTS_LINE(parser[SL_INGRESS]) && STARTS_LINE(parser[SL_EGRESS]), "likewise");

/* For what both directions read: not written to without need. */
static __always_inline void set_flag(bool *flag, bool value)
{
	if (*(volatile bool *)flag != value)
		*flag = value;
}

/* The segment's byte at seq, not above next, in the numbers of next. */
static __always_inline __u64 position(const struct direction *d, __u32 seq)
{
	__u64 next = d->next;

	return next - ((__u32)next - seq);
}

/* Where news that go up to seq begin; another CPU may be ahead, with a copy of the segment. */
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

/* Of the packet's socket. NULL: it is no full socket, or not followed. */
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

/* What user space answers to SL_F_ASK, by connection; also that the listener's socket saw a
 * preface. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct sl_verdict);
} verdicts SEC(".maps");

/* CLOSE records without room in the ring: nothing else would tell of those connections again. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SL_LATE_CLOSES);
	__uint(key_size, 0);
	__uint(value_size, sizeof(struct sl_close));
} late_closes SEC(".maps");

/* Shared with user space by mmap. */
volatile __u32 has_late_close; /* something is in late_closes */
/* Bytes of unplaced directions since the reader drained. Not exact; many at once would fill the
 * ring. */
volatile __u32 unplaced_bytes;
volatile __u32 unplaced_max;

/*
 * Sockets with a state, in both maps and of all cgroups, and how many may have one. User space
 * takes off what a cgroup leaves behind when it is detached: FOLLOWED less RELEASED.
 */
volatile __u64 storages SEC(".data.count"); /* not shared with who reads the ring */
const volatile __u64 storages_max;

/* Some connection has had something ahead: egress segments may confirm it. */
volatile __u32 has_out_of_order;

/* No receive window is larger: from tcp_rmem and rmem_max. */
const volatile __u32 window_max;

const volatile bool has_current_pid; /* bpf_get_current_pid_tgid() is there (6.10) */

/* Programs are attached one after the other: before the last is, one direction would be missed. */
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

/* Increments may be lost when a softirq interrupts the addition: fine for what only describes
 * volume. What must add up uses count_exact(). */
static __always_inline void count(enum sl_counter which, __u64 n)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	cg->counter[which] += n;
}

/* Bytes of ingress are sent out of order. */
static __always_inline void mark_out_of_order(struct direction *d, enum order order)
{
	if (d->order < order)
		d->order = order;
	if (!has_out_of_order)
		has_out_of_order = 1;
}

/* A state for the socket, or NULL, which is counted. A new one is all zeros. */
static __always_inline struct sock_state *create_state(void *sk)
{
	struct sock_state *st;

	/* Signed: should two CPUs ever take off the same one, it is one too few, and no more. */
	if ((__s64)storages >= (__s64)storages_max) {
		count_exact(SL_C_LOST_CAP);
		return NULL;
	}
	st = bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!st) {
		count_exact(SL_C_LOST_STORAGE);
		return NULL;
	}
	__sync_fetch_and_add(&storages, 1);
	count_exact(SL_C_FOLLOWED);
	return st;
}

/* The socket's state, of either map, is not counted any more. */
static __always_inline void release_state(void)
{
	__sync_fetch_and_add(&storages, -1);
	count_exact(SL_C_RELEASED);
}

/* Segments of one direction that are told of together. */
#define VOLUME_SEGMENTS 16

/* Volume is added up by socket and told in lots, so that the counters need not be found for each
 * segment. */
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
