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
#define SL_LIST_WORDS	 40
#define SL_LIST_ENDS_MAX 4

struct sl_list_end {
	__u8 addr[16]; /* network order; IPv4 in the first four, the rest zero */
	__u16 port; /* host order */
	__u8 family; /* 4 or 6 */
	__u8 pad[5];
};

struct sl_header_list {
	__u64 object; /* address of the transport, or of the writer */
	__u64 type; /* of the interfaces that have the ends */
	__u32 tgid; /* in the initial PID namespace: only to be compared */
	__u32 stream;
	__u8 function; /* enum sl_list_function */
	__u8 is_end; /* END_STREAM */
	__u8 ends; /* how many; only of a transport, as what follows */
	__u8 pad[5];
	struct sl_list_end end[SL_LIST_ENDS_MAX];
	__u64 word[SL_LIST_WORDS];
	__u32 bytes; /* of text */
	__u32 fields;
	/* struct http2_list of sidecar/proto/http2_recall.h says of what it consists. */
	char text[SL_LIST_BYTES_MAX];
	char slack[2 * SL_LIST_STRING_MAX + 8]; /* behind the last field, for the verifier */
};

#endif
