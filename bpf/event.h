/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the kernel half and the user half: the records that
 * travel through the ring buffer, and the counters both sides name.
 *
 * This is the only header that both halves include. Types have fixed widths
 * and no implicit padding; every layout is asserted below. All integers are
 * in host byte order.
 *
 * A connection is named by `id`, a 64-bit mix of its address 4-tuple and its
 * first egress sequence number. The data of a segment that completes a
 * handshake is seen on the *listener's* socket (always so with
 * TCP_DEFER_ACCEPT), where the child's cookie does not exist yet; the id can
 * be computed on both, so nothing has to be handed over.
 *
 * HTTP/2: from the client's preface on (RFC 9113 section 3.4) the kernel half
 * walks the frames of both directions. All bytes are sent but the payloads of
 * long DATA frames behind their first bytes, and whole frames that say nothing
 * of a stream (WINDOW_UPDATE, PING, PRIORITY), which then make a gap of
 * uncopied bytes that starts and ends between frames. A DATA frame with
 * END_STREAM is told as soon as its last byte was seen.
 * Where the kernel half does not know a direction's frames (an older
 * connection, a lost segment) it sends everything, and asks.
 */
#ifndef SIDELIGHT_BPF_EVENT_H
#define SIDELIGHT_BPF_EVENT_H

#include <stddef.h>

#include <linux/types.h>

enum sl_kind {
	SL_OPEN = 1, /* struct sl_open: sent before the first data of a connection */
	SL_DATA = 2, /* struct sl_data: bytes, or news about bytes, of one direction */
	SL_CLOSE = 3, /* struct sl_close: the socket is gone */
	SL_MUTE = 4, /* struct sl_header: no more data of this connection will be sent */
};

enum sl_dir { SL_INGRESS = 0, SL_EGRESS = 1 };

enum sl_role {
	SL_ROLE_UNKNOWN = 0, /* older than the observer */
	SL_ROLE_SERVER = 1, /* accepted by the observed side */
	SL_ROLE_CLIENT = 2, /* connected by the observed side */
};

/* sl_header.flags */
enum {
	SL_F_FIN = 1 << 0, /* DATA: the direction ends after to_seq */
	/*
	 * DATA, ingress: out of order. When it was seen, the socket did not have the bytes below
	 * from_seq: they may still come, or these bytes may never become part of the stream.
	 */
	SL_F_AHEAD = 1 << 1,
	SL_F_RESET = 1 << 2, /* CLOSE: ended by RST */
	SL_F_EARLY =
		1 << 3, /* OPEN: data came before the socket; OPEN comes again with the socket */
	SL_F_FRAME = 1 << 4, /* DATA: data[0] starts an HTTP/2 frame, or the preface */
	/*
	 * DATA: it is not known to the kernel where the frames of this direction
	 * start. Wanted is a verdict with the first frame that starts at seq or behind it.
	 */
	SL_F_ASK = 1 << 5,
};

/* sl_header.why of SL_MUTE */
enum sl_mute {
	SL_MUTE_TLS = 1, /* starts with a TLS handshake record */
	SL_MUTE_UNKNOWN = 2, /* several turns and no HTTP among them */
	SL_MUTE_UPGRADE = 3, /* 101 Switching Protocols, or 2xx to CONNECT: a tunnel from here on */
	SL_MUTE_MPTCP = 4, /* a subflow of an MPTCP connection with several */
	SL_MUTE_MAX,
};

struct sl_header {
	__u8 kind; /* enum sl_kind */
	__u8 dir; /* enum sl_dir; DATA only */
	__u8 flags; /* SL_F_* */
	__u8 why; /* enum sl_mute; MUTE only */
	__u32 len; /* DATA: number of bytes in data[] */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 id; /* of the connection */
};

struct sl_open {
	struct sl_header h;
	__u64 container; /* the number user space gave the cgroup when it attached */
	__u32 local_addr[4]; /* network order; IPv4 in [0], the rest zero */
	__u32 remote_addr[4];
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 family; /* 4 or 6 */
	__u8 role; /* enum sl_role */
	__u8 pad[2];
	__u32 first_seq[2]; /* by enum sl_dir: where the stream begins; with EARLY, egress only */
};

/*
 * from_seq <= seq <= seq + len <= to_seq, modulo 2^32. The bytes
 * [seq, seq + len) are in data[]; those of [from_seq, seq) and
 * [seq + len, to_seq) were seen, are body bytes, and were not copied.
 * len may be 0: then the record only tells how far the direction has come.
 * to_seq - from_seq is below 2^31: longer bodies are reported in parts.
 */
struct sl_data {
	struct sl_header h;
	__u32 seq;
	__u32 from_seq;
	__u32 to_seq;
	__u32 peer_seq; /* what its sender had of the other direction, in order; 0: unknown */
	__u32 tid; /* egress: the thread that wrote, in the initial PID namespace; 0 unknown */
	__u32 tgid;
	__u8 data[];
};

struct sl_close {
	struct sl_header h;
	__u64 bytes[2]; /* payload bytes, by enum sl_dir, without retransmissions */
	__u32 to_seq[2]; /* end of what was seen, by enum sl_dir */
	__u32 told_seq[2]; /* end of what records told of, lost ones included; the rest is body */
	__u32 srtt_us; /* smoothed round-trip time; 0 unknown */
	__u32 retransmits; /* segments retransmitted by the observed side */
};

/* CLOSE records for which the ring has no room wait in the queue `late_closes`, up to so many. */
#define SL_LATE_CLOSES 1024

/*
 * The answer to SL_F_ASK, in the map `verdicts` by the connection's id; the kernel half itself
 * notes there a preface that only the listener's socket saw. An answer that
 * comes late serves too, if it names the very seq of the newest record that asked:
 * the kernel half walks on from there as if it were the start of a frame, but skips nothing.
 */
struct sl_verdict {
	__u64 time_ns[2]; /* by enum sl_dir: when it was given, CLOCK_MONOTONIC; 0: never */
	__u32 seq[2]; /* likewise: a frame starts there */
	__u8 is_http2; /* what may be HTTP/2 now is */
	__u8 pad[7];
};

_Static_assert(sizeof(struct sl_verdict) == 32, "layout");

/* A program was executed in a cgroup that is not known. The only record of its ring: no header. */
struct sl_exec {
	__u64 cgroup; /* as bpf_get_current_cgroup_id() has it */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid; /* of the process, in our PID namespace */
	__u32 pad;
};

_Static_assert(sizeof(struct sl_exec) == 24, "layout");
_Static_assert(sizeof(struct sl_header) == 24, "layout");
_Static_assert(offsetof(struct sl_data, tid) % 8 == 0, "tid and tgid are stored as one");
_Static_assert(sizeof(struct sl_open) == 24 + 56, "layout");
_Static_assert(sizeof(struct sl_data) == 24 + 24, "layout");
_Static_assert(sizeof(struct sl_close) == 24 + 40, "layout");

/*
 * The largest is the most data that one record carries; longer segments are sent as several
 * records. In the kernel's ring, which takes constants only, a record is one of these sizes.
 */
enum {
	SL_DATA_TINY = 80 - (int)sizeof(struct sl_data), /* HTTP/2: what is kept of a DATA frame */
	SL_DATA_SMALL = 256 - (int)sizeof(struct sl_data),
	SL_DATA_MEDIUM = 1024 - (int)sizeof(struct sl_data),
	SL_DATA_LARGE = 2048 - (int)sizeof(struct sl_data),
};

/*
 * Records that do not travel through the kernel's ring (bpf/ring.bpf.h) stand one behind the other
 * in an array. Before each is a word: the position where that word stands, counted from the first
 * record of all, and the record's size with it, a multiple of 8. The record is there once the word
 * is sealed: exclusive or with a number that nobody else knows, since what stands there till then
 * are bytes of older records, which may come from the wire.
 */
#define SL_RECORD(at, size)  ((__u64)(at) << 16 | (size))
#define SL_RECORD_AT(word)   ((word) >> 16) /* modulo 2^48 */
#define SL_RECORD_SIZE(word) ((__u32)(word)&0x7fff)
#define SL_RECORD_DISCARDED  0x8000u
/* The most that one takes, and how far it may reach beyond the end of the ring. */
#define SL_RECORD_MAX (8 + 2048)

/* Shared by mmap. What one side writes often has lines of its own. */
struct sl_shared {
	/* Where the next record will be. User space moves it, too: mapped_rewind(). */
	__u64 produced;
	__u64 pad[7];
	/* By user space: */
	__u64 consumed; /* what was before is read */
	__u32 reader_awake; /* it drains on a timer: do not wake it for one record */
	__u32 wake_bytes; /* ... unless this much waits */
	__u32 has_woken; /* and it was woken for that: once is enough until it drains; by both */
	__u32 pad2[11];
};

_Static_assert(sizeof(struct sl_shared) == 128, "two lines");

/* Per-CPU counters of one cgroup, kept by the kernel half, read on scrape. */
enum sl_counter {
	SL_C_SEGMENTS, /* segments with payload that were looked at */
	SL_C_RECORDS, /* records sent */
	SL_C_BYTES_SEEN, /* payload bytes of those segments, retransmissions excluded */
	SL_C_BYTES_SENT, /* payload bytes copied into records */
	SL_C_RETRANSMITTED, /* segments seen before and dropped */
	SL_C_LOST_OPEN, /* OPEN records the ring had no room for */
	SL_C_LOST_REQUEST, /* DATA records that started a request, likewise */
	SL_C_LOST_DATA, /* other DATA records, likewise */
	SL_C_LOST_CLOSE, /* CLOSE records that the queue had no room for either */
	SL_C_LOST_MUTE, /* MUTE records */
	SL_C_LOST_HELPER, /* a kernel helper refused: segment not copied */
	SL_C_LOST_STORAGE, /* no memory for the state of a socket */
	SL_C_LOST_CAP, /* sockets that are not followed: as many as may be are */
	SL_C_LOST_CHAIN, /* more records of one segment than tail calls allow */
	SL_C_OUT_OF_WINDOW, /* ingress segments that the socket drops: nothing of them is believed
			     */
	SL_C_FOLLOWED, /* sockets that got a state, */
	SL_C_RELEASED, /* and that gave it back */
	SL_C_ASKED, /* questions where frames start: records with SL_F_ASK */
	SL_C_ACCEPTED, /* connections, by who opened them */
	SL_C_CONNECTED,
	SL_C_CONNECT_FAILED,
	SL_C_CLOSED,
	SL_C_RESET,
	SL_C_MAX,
};

struct sl_cgroup {
	/* Both set by user space, to the same value on every CPU: */
	__u64 container;
	__u64 is_attached; /* all programs are there: now connections may be followed */
	__u64 counter[SL_C_MAX];
};

#endif
