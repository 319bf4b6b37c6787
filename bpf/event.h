/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the BPF programs and user space: the records in the ring, and the counters.
 *
 * Both sides include this header. Types have fixed widths and no implicit padding, and every layout
 * is asserted below. All integers are in host byte order.
 *
 * `id` identifies a connection: a 64-bit mix of its addresses, its ports and its first egress
 * sequence number; of a connection that is older than sidelight, the two sequence numbers (egress,
 * ingress) of the segment with which it is joined. The segment that completes a handshake is seen
 * with the listener's socket if it contains data, as it always does with TCP_DEFER_ACCEPT, and then
 * the child socket's cookie does not exist yet. The id can be computed from both sockets.
 *
 * HTTP/2: from the client's preface on (RFC 9113 section 3.4) the programs parse the frames of both
 * directions. They send all bytes except the payload of long DATA frames behind its first bytes,
 * and whole frames without meaning for a stream (WINDOW_UPDATE, PING, PRIORITY). Skipped frames
 * make a range of uncopied bytes that starts and ends at frame boundaries. A DATA frame with
 * END_STREAM is reported as soon as its last byte was seen. If frame boundaries are unknown (on an
 * older connection, or after a lost segment), the programs send everything, and ask for them.
 */
#ifndef SIDELIGHT_BPF_EVENT_H
#define SIDELIGHT_BPF_EVENT_H

#include <stddef.h>

#include <linux/types.h>

enum sl_kind {
	SL_OPEN = 1, /* struct sl_open: precedes the first data of a connection */
	SL_DATA = 2, /* struct sl_data: reports bytes of one direction, copied or not */
	SL_CLOSE = 3, /* struct sl_close: the connection has ended */
	SL_MUTE = 4, /* struct sl_header: no more data of this connection will be sent */
	SL_READ = 5, /* struct sl_read: the program has read from its socket (syscalls.bpf.c) */
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
	 * DATA, ingress: when the segment was seen, the socket had not received all bytes before
	 * from_seq. They may still come, or these bytes may never become part of the stream.
	 */
	SL_F_OUT_OF_ORDER = 1 << 1,
	SL_F_RESET = 1 << 2, /* CLOSE: ended by RST */
	SL_F_EARLY = 1 << 3, /* OPEN: data came before the socket exists; OPEN comes again with the
				socket */
	SL_F_FRAME = 1 << 4, /* DATA: data[0] starts an HTTP/2 frame, or the preface */
	/*
	 * DATA: the program does not know where frames of this direction begin, and asks for a
	 * verdict with the first frame that begins at seq or behind it.
	 */
	SL_F_ASK = 1 << 5,
};

/* sl_header.why of SL_MUTE */
enum sl_mute {
	SL_MUTE_TLS = 1, /* starts with a TLS handshake record */
	SL_MUTE_UNKNOWN = 2, /* several flights without HTTP */
	SL_MUTE_UPGRADE = 3, /* 101 Switching Protocols, or 2xx to CONNECT: a tunnel from here on */
	SL_MUTE_MPTCP = 4, /* a subflow of an MPTCP connection with several */
	SL_MUTE_TLS_DARK = 5, /* TLS that user space cannot decrypt, or not any more */
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
	__u64 container; /* number that user space gave the cgroup when it attached */
	__u32 local_addr[4]; /* network order; IPv4 in [0], the rest zero */
	__u32 remote_addr[4];
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 family; /* 4 or 6 */
	__u8 role; /* enum sl_role */
	__u8 pad[2];
	__u32 first_seq[2]; /* by enum sl_dir: start of the stream; with EARLY, egress only */
};

/*
 * The record reports the bytes from from_seq to to_seq of its direction. It contains the len bytes
 * from seq on. The others passed and were not copied: they are body, HTTP/2 frames that are not
 * needed, or bytes behind a spent budget. len may be 0.
 * from_seq <= seq <= seq + len <= to_seq, modulo 2^32, and to_seq - from_seq is below 2^31: longer
 * bodies are reported in parts.
 */
struct sl_data {
	struct sl_header h;
	__u32 seq;
	__u32 from_seq;
	__u32 to_seq;
	__u32 peer_seq; /* the sender's acknowledgement of the other direction; 0: unknown */
	__u32 tid; /* egress: the thread that wrote, in the PID namespace of sidelight; 0 unknown */
	__u32 tgid;
	__u8 data[];
};

struct sl_close {
	struct sl_header h;
	__u64 bytes[2]; /* payload bytes, by enum sl_dir, without retransmissions */
	__u32 to_seq[2]; /* end of what was seen, by enum sl_dir */
	/* End of what records have reported, lost ones included; the rest was not copied. */
	__u32 reported_seq[2];
	__u32 srtt_us; /* smoothed round-trip time; 0 unknown */
	__u32 retransmits; /* segments retransmitted by the observed side */
};

/*
 * A call of the program has read the ingress bytes from from_seq to to_seq. Only while system calls
 * are counted and the ring is not full, and only connections that the program has accepted have the
 * id of such a record.
 */
struct sl_read {
	struct sl_header h;
	__u32 from_seq;
	__u32 to_seq;
};

_Static_assert(sizeof(struct sl_read) == 32, "layout");

/*
 * CLOSE records for which the ring has no room wait in the queue `late_closes`, up to so many. The
 * CLOSE of a muted connection does not: it is counted as lost.
 */
#define SL_LATE_CLOSES 1024

/*
 * What user space has found out about a connection, in the map `verdicts` by the connection's id:
 * the answer to SL_F_ASK, and that nothing more of the connection is needed. The programs
 * themselves store there that a preface was seen with the listener's socket. After a question, the
 * parser assumes that a frame begins at seq, and skips nothing. So a late answer is still of use if
 * it names exactly the seq of the newest question.
 */
struct sl_verdict {
	__u64 time_ns[2]; /* by enum sl_dir: time of the answer, CLOCK_MONOTONIC; 0: none */
	__u32 seq[2]; /* likewise: a frame begins there; TLS: a body reaches at least to there */
	__u8 is_http2; /* the connection is HTTP/2 */
	__u8 mute; /* enum sl_mute: nothing more is needed; 0: it is */
	__u8 pad[6];
};

_Static_assert(sizeof(struct sl_verdict) == 32, "layout");

/*
 * Where the value of a socket in either of the storage maps begins; user space reads it from the
 * kernel's list of sockets (sock_diag).
 */
struct sl_socket {
	__u64 id;
	__u32 opened; /* SL_TIME_UNIT_NS of CLOCK_MONOTONIC, modulo 2^32; 0: not known */
	__u8 role; /* enum sl_role */
};

/* A program was executed in an unknown cgroup. The only record of its ring, so it has no header. */
struct sl_exec {
	__u64 cgroup; /* from bpf_get_current_cgroup_id() */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid; /* of the process, in the PID namespace of sidelight */
	__u32 pad;
};

/* Labels of a TLS key log (RFC 9850) whose secrets are copied. */
enum sl_secret_kind {
	SL_SECRET_MASTER, /* CLIENT_RANDOM: the master secret of TLS 1.2 */
	SL_SECRET_CLIENT_HANDSHAKE, /* TLS 1.3, as all that follow */
	SL_SECRET_SERVER_HANDSHAKE,
	SL_SECRET_CLIENT_TRAFFIC,
	SL_SECRET_SERVER_TRAFFIC,
	SL_SECRET_KINDS,
};

#define SL_SECRET_MAX 48
/* Secrets that wait for user space at once. */
#define SL_SECRETS 1024
/* The ring that says which: a multiple of any page size. A record takes 16 bytes. */
#define SL_SECRETS_RING_BYTES 65536
/* With so many bytes of records there are to be taken at once. */
#define SL_SECRETS_MANY_BYTES (16 * SL_SECRETS / 2)

/* Cgroups whose processes are probed. */
#define SL_WATCHED_MAX 64

/* One secret of a handshake: an element of the map `secrets`, not of a ring, so that user space can
 * overwrite it. */
struct sl_secret {
	__u32 is_taken; /* 0: the element is free; user space clears it when it has read the rest */
	__u8 kind; /* enum sl_secret_kind */
	__u8 len; /* 32 or 48 */
	__u8 has_random;
	__u8 pad;
	__u64 session; /* a pointer: secrets of one process with the same one belong together */
	__u64 time_ns; /* of CLOCK_MONOTONIC */
	__u64 tgid;
	__u8 client_random[32];
	__u8 value[SL_SECRET_MAX];
};

/* Where members of the kernel's structs are, and a size, in bytes: see capture/btf_layout.h. */
struct sl_layout {
	__u32 task_pid; /* struct task_struct */
	__u32 task_tgid;
	__u32 task_thread_pid;
	__u32 pid_level; /* struct pid */
	__u32 pid_numbers;
	__u32 upid_nr; /* struct upid */
	__u32 upid_ns;
	__u32 upid_size;
	__u32 ns_inum; /* of struct ns_common in struct pid_namespace */
};

/* A process was forked, or executed a program, in a watched cgroup. The only record of its ring. */
struct sl_process {
	__u32 pid; /* in our PID namespace, likewise parent; 0: it is not in there */
	__u32 parent; /* the process that forked it; 0: it executed a program */
};

/*
 * The cookie of a probe: which register holds which argument, by the numbers that instructions have
 * for registers, in four bits each.
 */
enum {
	SL_COOKIE_LABEL = 0,
	SL_COOKIE_SECRET = 4,
	SL_COOKIE_LENGTH = 8,
	SL_COOKIE_SESSION = 12,
	SL_COOKIE_RANDOM = 16,
	SL_COOKIE_HAS_SESSION = 1 << 20,
	SL_COOKIE_HAS_RANDOM = 1 << 21,
	SL_COOKIE_SHARED = 1 << 22, /* the probe of all processes: only of watched ones */
};

_Static_assert(sizeof(struct sl_secret) == 112, "layout");
_Static_assert(sizeof(struct sl_exec) == 24, "layout");
_Static_assert(sizeof(struct sl_header) == 24, "layout");
_Static_assert(offsetof(struct sl_data, tid) % 8 == 0, "tid and tgid are stored as one");
_Static_assert(sizeof(struct sl_open) == 24 + 56, "layout");
_Static_assert(sizeof(struct sl_data) == 24 + 24, "layout");
_Static_assert(sizeof(struct sl_close) == 24 + 40, "layout");

/*
 * Sizes of the data of a record. A record carries at most the largest: longer segments are sent in
 * several records. In the kernel's ring buffer, which takes only constants, it is one of these
 * sizes.
 */
enum {
	SL_DATA_TINY =
		80 -
		(int)sizeof(struct sl_data), /* HTTP/2: the part of a DATA frame that is copied */
	SL_DATA_SMALL = 256 - (int)sizeof(struct sl_data),
	SL_DATA_MEDIUM = 1024 - (int)sizeof(struct sl_data),
	SL_DATA_LARGE = 2048 - (int)sizeof(struct sl_data),
};

/*
 * Without the kernel's ring buffer (bpf/ring.bpf.h), records follow each other in an array. Before
 * each record is a word with its position, counted from the first record ever, and the size of
 * both, a multiple of 8. The record is published when the word is sealed: exclusive or with a
 * secret random number, because until then the word has bytes of older records, which may come from
 * the network.
 */
#define SL_RECORD(at, size)  ((__u64)(at) << 16 | (size))
#define SL_RECORD_AT(word)   ((word) >> 16) /* modulo 2^48 */
#define SL_RECORD_SIZE(word) ((__u32)(word)&0x7fff)
#define SL_RECORD_DISCARDED  0x8000u
/* The largest size, and so the number of bytes that a record may reach beyond the end of the ring.
 */
#define SL_RECORD_MAX (8 + 2048)

/* Shared by mmap. Each side has cache lines of its own for the members that it writes often. */
struct sl_shared {
	/* Position of the next record. User space moves it as well, in mapped_rewind(). */
	__u64 produced;
	__u64 pad[7];
	/* Written by user space: */
	__u64 consumed; /* all records before this position are read */
	__u32 reader_awake; /* the reader drains on a timer, and is not woken for one record */
	__u32 wake_bytes; /* it is woken if so many bytes wait */
	__u32 has_woken; /* it was woken, and has not drained yet; written by both sides */
	__u32 pad2[11];
};

_Static_assert(sizeof(struct sl_shared) == 128, "two cache lines");

/* Per-CPU counters of one cgroup; user space reads them for each scrape. */
enum sl_counter {
	SL_C_SEGMENTS, /* segments with payload that were looked at */
	SL_C_RECORDS, /* records sent */
	SL_C_BYTES_SEEN, /* payload bytes of those segments, retransmissions excluded */
	SL_C_BYTES_SENT, /* payload bytes copied into records */
	SL_C_RETRANSMITTED, /* segments seen before and dropped */
	SL_C_LOST_OPEN, /* OPEN records for which the ring had no room */
	SL_C_LOST_REQUEST, /* likewise, DATA records that started a request */
	SL_C_LOST_DATA, /* likewise, other DATA records */
	SL_C_LOST_CLOSE, /* CLOSE records for which the queue had no room, either, or which may not
			    use it, because the connection was muted */
	SL_C_LOST_MUTE, /* MUTE records for which the ring had no room */
	SL_C_LOST_HELPER, /* segments that were not copied because a kernel helper failed */
	SL_C_LOST_STORAGE, /* no memory for the state of a socket */
	SL_C_LOST_CAP, /* sockets that are not followed because the cap is reached */
	SL_C_LOST_CHAIN, /* more records of one segment than tail calls allow */
	SL_C_OUT_OF_WINDOW, /* ingress segments that the socket drops, and that change nothing */
	SL_C_FOLLOWED, /* sockets that got a state */
	SL_C_RELEASED, /* sockets whose state was released */
	SL_C_ASKED, /* records with SL_F_ASK */
	SL_C_ACCEPTED, /* connections, by the end that opened them; likewise SL_C_CONNECTED */
	SL_C_CONNECTED,
	SL_C_CONNECT_FAILED,
	SL_C_CLOSED,
	/* Of those, ended by an RST of the peer; or by this end, with an RST or by a timeout. */
	SL_C_RESET_PEER,
	SL_C_RESET_LOCAL,
	SL_C_CONN_TIMES, /* from here on histograms: SL_C_TIME() */
	SL_C_MAX = SL_C_CONN_TIMES + 4 * 13, /* asserted below */
};

/* Times of connections that are counted in histograms, for SL_ROLE_SERVER and SL_ROLE_CLIENT. */
enum sl_conn_time {
	SL_TIME_HANDSHAKE, /* microseconds from a SYN, or SYN-ACK, to its answer */
	SL_TIME_LIFE, /* SL_TIME_UNIT_NS from the end of the handshake to the end */
	SL_CONN_TIMES,
};

/* About a millisecond. Times of it are stored modulo 2^32, which is 52 days. */
#define SL_TIME_SHIFT	20
#define SL_TIME_UNIT_NS (1ull << SL_TIME_SHIFT)

/* Upper bounds of the buckets: from a loopback's round trip to a satellite's; 10 ms to a day. */
#define SL_TIME_BOUNDS	 11
#define SL_TIME_COUNTERS (SL_TIME_BOUNDS + 2) /* the last bucket has no bound; then the sum */
#define SL_HANDSHAKE_BOUNDS_US                                                                     \
	{                                                                                          \
		30, 100, 300, 1000, 3000, 10000, 30000, 100000, 300000, 1000000, 3000000           \
	}
#define SL_LIFE_BOUNDS_MS                                                                          \
	{                                                                                          \
		10, 100, 1000, 5000, 15000, 60000, 300000, 900000, 3600000, 21600000, 86400000     \
	}

/* The first of the counters of a time and role. */
#define SL_C_TIME(time, role) (SL_C_CONN_TIMES + (2 * (time) + (role)-1) * SL_TIME_COUNTERS)

_Static_assert(SL_C_MAX == SL_C_TIME(SL_CONN_TIMES, SL_ROLE_SERVER), "all histograms");

struct sl_cgroup {
	/* Both set by user space, to the same value on every CPU: */
	__u64 container;
	__u64 is_attached; /* all programs are attached, so connections may be followed */
	__u64 counter[SL_C_MAX];
};

#endif
