/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uprobes that copy the header lists of gRPC-Go (bpf/header_lists.bpf.c), each attached to one
 * process. Needs CAP_BPF, CAP_PERFMON, and uprobe_multi links that are kept to a process (6.10).
 *
 * Functions return 0 or negative errno and never log.
 */
#ifndef SIDELIGHT_CAPTURE_HEADER_LISTS_H
#define SIDELIGHT_CAPTURE_HEADER_LISTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/header_lists.h"
#include "elf/go_grpc.h"

struct header_lists;

/* Loads the program. -EOPNOTSUPP: the kernel has no such links. */
int header_lists_new(struct header_lists **ret_lists);
/* Accepts NULL. Links stay: their descriptors are the caller's. */
void header_lists_free(struct header_lists *l);

/* Attaches to the file that file_fd has open, in process pid. Returns the link's descriptor, which
 * is to be closed by link_closer_close(): it takes some 40 ms. */
int header_lists_attach(struct header_lists *l, int file_fd, pid_t pid,
			const struct go_grpc_sites *sites);

/* Lists of this connection are copied from now on, or not any more. */
int header_lists_want(struct header_lists *l, const struct sl_list_ends *ends);
void header_lists_unwant(struct header_lists *l, const struct sl_list_ends *ends);
/* What is known of a writer. */
int header_lists_set_writer(struct header_lists *l, const struct sl_list_writer *writer,
			    const struct sl_list_writer_state *state);

/* Readable when there are lists. */
int header_lists_fd(const struct header_lists *l);
/* Calls fn for each until it returns false; list is borrowed for the call. */
typedef bool (*header_list_fn)(void *ctx, const struct sl_header_list *list);
void header_lists_take(struct header_lists *l, header_list_fn fn, void *ctx);
/* Lists that could not be handed over, since the program was loaded. */
uint64_t header_lists_lost(const struct header_lists *l);

#endif
