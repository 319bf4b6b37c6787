/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for functions that are to be probed in files that strangers wrote, in a child process that
 * holds no capability, no other descriptor, and ends after LIBRARY_SEARCH_SECONDS of CPU time.
 * One search at a time; results come through the loop.
 */
#ifndef SIDELIGHT_BROKER_LIBRARY_SEARCH_H
#define SIDELIGHT_BROKER_LIBRARY_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "elf/go_grpc.h"
#include "elf/key_log.h"

#define LIBRARY_SEARCH_FILES   32
#define LIBRARY_SEARCH_SECONDS 10

enum library_search_for { LIBRARY_KEY_LOG, LIBRARY_GO_GRPC };

union library_found {
	struct key_log_site key_log;
	struct go_grpc_sites go_grpc;
};

/* Of the file with this position. err: as key_log_find() or go_grpc_find() returns it. */
typedef void (*library_found_fn)(void *ctx, size_t file, int err, const union library_found *found);
/* The child has ended: there are no more results. */
typedef void (*library_done_fn)(void *ctx);

struct library_search {
	uv_loop_t *loop;
	enum library_search_for what;
	library_found_fn found;
	library_done_fn done;
	void *ctx;
	bool is_running;
	size_t count; /* of files */
	int pid_fd;
	int pipe_fd;
	uv_poll_t poll;
};

void library_search_init(struct library_search *s, uv_loop_t *loop, enum library_search_for what,
			 library_found_fn found, library_done_fn done, void *ctx);
/* The descriptors stay the caller's. Returns 0 or negative errno; -EBUSY: one is running. */
int library_search_start(struct library_search *s, const int *fds, size_t count);
/* Ends the child without a call; the loop must run once more. Not running: no-op. */
void library_search_stop(struct library_search *s);

#endif
