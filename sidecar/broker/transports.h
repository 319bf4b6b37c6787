/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the connection of a header list of gRPC-Go (bpf/header_lists.h). One that a program reads
 * comes with its transport, which has the ends of the connection. One that it writes comes with the
 * writer alone: its transport is the one that refers to it. Memory is used again, so a transport is
 * forgotten that has read nothing for ten seconds, and a writer with two transports has none.
 */
#ifndef SIDELIGHT_BROKER_TRANSPORTS_H
#define SIDELIGHT_BROKER_TRANSPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/header_lists.h"

#define TRANSPORTS_MAX	  256
#define TRANSPORT_KEPT_MS 10000

struct transport {
	uint64_t object;
	uint32_t tgid;
	bool is_server;
	uint64_t seen_ms; /* 0: the place is free */
	struct sl_list_ends ends;
	uint64_t word[SL_LIST_WORDS];
};

/* Zeroed, it knows none. */
struct transports {
	struct transport transport[TRANSPORTS_MAX];
};

/* The transport of a list, borrowed until the next call; NULL: it is not known. */
const struct transport *transports_find(struct transports *t, const struct sl_header_list *list,
					uint64_t now_ms);

#endif
