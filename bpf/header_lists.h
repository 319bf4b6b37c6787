/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause) */
/* What header_lists.bpf.c writes, and user space reads. */
#ifndef SIDELIGHT_BPF_HEADER_LISTS_H
#define SIDELIGHT_BPF_HEADER_LISTS_H

#include <linux/types.h>

/* The functions that are probed, as the probe's cookie says them. */
enum sl_list_function {
	SL_LIST_SERVER_READS, /* (*http2Server).operateHeaders() */
	SL_LIST_CLIENT_READS, /* (*http2Client).operateHeaders() */
	SL_LIST_WRITES, /* (*loopyWriter).writeHeader() */
	SL_LIST_FUNCTIONS,
};

#define SL_LIST_FIELDS_MAX 48
/* The text of all fields; one string has SL_LIST_STRING_MAX bytes at most. */
#define SL_LIST_BYTES_MAX  2048
#define SL_LIST_STRING_MAX 1023
/*
 * Words at the beginning of a transport that are looked at. In all versions from gRPC 1.11 to 1.75
 * the ends and the writer are in the first 25; the smaller of the two types has 48, so that no word
 * is another object's.
 */
#define SL_LIST_WORDS 40
/* Connections whose lists are wanted, and writers that are known. */
#define SL_LIST_WANTED_MAX  512
#define SL_LIST_WRITERS_MAX 1024

struct sl_list_end {
	__u8 addr[16]; /* network order; IPv4 in the first four, the rest zero */
	__u16 port; /* host order */
	__u8 family; /* 4 or 6 */
	__u8 pad[5];
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct sl_list_end) == 24, "no implicit padding");

/* The ends of a connection, in the order in which a transport has them. */
struct sl_list_ends {
	struct sl_list_end end[2];
};

/* A loopyWriter. */
struct sl_list_writer {
	__u64 object; /* its address */
	__u32 tgid; /* in the initial PID namespace: only to be compared */
	__u32 pad;
};

/* What user space knows of a writer. */
struct sl_list_writer_state {
	__u64 until_ns; /* of CLOCK_MONOTONIC: it is unknown again then */
	__u32 is_wanted;
	__u32 pad;
};

struct sl_header_list {
	__u64 object; /* address of the transport, or of the writer */
	__u32 tgid;
	__u32 stream;
	__u8 function; /* enum sl_list_function */
	__u8 is_end; /* END_STREAM */
	__u8 pad[6];
	struct sl_list_ends ends; /* of a transport, as what follows */
	__u64 word[SL_LIST_WORDS];
	__u32 bytes; /* of text */
	__u32 fields; /* 0: of a writer that is unknown, without its list */
	/* struct http2_list of sidecar/proto/http2_recall.h says of what it consists. */
	char text[SL_LIST_BYTES_MAX];
	char slack[2 * SL_LIST_STRING_MAX + 8]; /* behind the last field, for the verifier */
};

#endif
