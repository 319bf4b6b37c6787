/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's end of the channel to the broker.
 *
 * Requests wait for their answer, which takes some ten microseconds, and are
 * made when somebody reads the metrics, and when the ring was full. What comes
 * meanwhile is dealt with, except for STOP and the end of the channel: these
 * are handed out from the loop, so that nothing stops in the middle of itself.
 * When an answer is late, one line says so, the values of the last report stay, and
 * nothing of a late answer is lost.
 */
#ifndef SIDELIGHT_BROKER_LINK_H
#define SIDELIGHT_BROKER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/usage.h"
#include "broker/channel.h"

struct link_ops {
	/* Events with this number may follow. */
	void (*target)(void *ctx, uint64_t number, const char *name);
	void (*counters)(void *ctx, uint64_t number, const char *name, const uint64_t *counters);
	/* So many cgroups are watched from now on. */
	void (*watched)(void *ctx, unsigned count);
	/* now and added as in channel.h, by reason. */
	void (*unseen)(void *ctx, const char *name, const uint32_t *now, const uint32_t *added);
	/* Looks at the sockets, and those of them that did not come to the end. */
	void (*looks)(void *ctx, uint64_t count, uint64_t cut);
	void (*usage)(void *ctx, const struct usage *broker);
	/* How to read secrets: the descriptors are closed after the call. */
	void (*secrets)(void *ctx, const int fds[SECRET_RING_MAPS]);
	void (*tls)(void *ctx, enum tls_reach reach, uint32_t probes);
	/* Open connections of targets, of the list that was asked for. */
	void (*sockets)(void *ctx, const struct channel_socket *sockets, size_t count);
	/* The list has ended. !is_new: it was made a moment ago, and is not made again yet. */
	void (*listed)(void *ctx, bool is_new, bool is_cut);
	/* COUNTING, and then CALLS and CALL_ERRORS. */
	void (*syscalls)(void *ctx, const struct channel_message *m);
	/* So many header lists were not handed over, since the start. */
	void (*lists_lost)(void *ctx, uint64_t count);
	/* HEADER_LIST. */
	void (*header_list)(void *ctx, const struct channel_message *m);
	/*
	 * Every few milliseconds while an answer is awaited. It may make other requests, which
	 * wait likewise. NULL: nothing is done meanwhile.
	 */
	void (*waiting)(void *ctx);
	/* Once. is_lost: the broker is gone. */
	void (*stop)(void *ctx, bool is_lost);
};

struct link {
	int channel;
	const struct link_ops *ops;
	void *ctx;
	uint64_t highest; /* number of a target that was announced */
	bool must_stop;
	bool is_lost;
	bool is_late; /* a request was not answered in time, and none since; one line said so */
	bool is_fetching; /* CLOSES were asked for, and have not come */
	uint64_t refreshes_asked; /* REFRESH messages that were sent, */
	uint64_t refreshes_answered; /* and how many of them REFRESHED has answered */
	bool is_listing; /* open connections were asked for, and their list has not ended */
	bool has_closes; /* they came after their time, and are in closes */
	struct channel_message closes;
	int wait_ms; /* for an answer */
	bool has_handles;
	uv_poll_t poll;
	uv_timer_t timer; /* hands out STOP that came while we waited */
};

/* channel is owned from now on. */
void link_init(struct link *l, int channel, const struct link_ops *ops, void *ctx);

/*
 * Waits until the broker has attached to what there is. ret_ring's descriptors
 * are the caller's. Returns 0 or negative errno; -EPIPE: the broker has given
 * up, and said why.
 */
int link_wait_started(struct link *l, struct ring_layout *ret_ring);

/*
 * Likewise, and opens the source of the events that the broker's programs write. Returns 0 or
 * negative errno, after one log line of either process.
 */
int link_open_source(struct link *l, struct source **ret_source);

/* From now on messages are handed out from the loop. */
void link_start(struct link *l, uv_loop_t *loop);
/* Closes the handles: the loop must run once more. Before link_start(): no-op. */
void link_stop(struct link *l);
/* Closes the channel: the broker sees that we end. */
void link_close(struct link *l);

/* TLS connections have no secrets: maybe a library was loaded meanwhile. */
void link_look(struct link *l);

/* Asks for a list of open connections, unless one is on its way. Waits at most so long for its end;
 * 0: not at all. */
void link_list(struct link *l, int wait_ms);

struct link_process {
	uint64_t started_ns; /* of CLOCK_MONOTONIC */
	char name[PROCESS_COMM_MAX]; /* printable; "": it has ended */
};

/* What a process is called, in the PID namespace of sidelight. Returns 0 or negative errno. */
int link_process(struct link *l, uint32_t pid, struct link_process *ret_process);

/*
 * System calls of the targets are to be counted, or not any more: what comes of it comes to
 * ops->syscalls. Returns 0, or negative errno if the broker could not be asked.
 */
int link_count_calls(struct link *l, bool is_on);

/* Header lists of these connections are wanted, at most CHANNEL_WANTED_MAX, for some time: what is
 * dropped is to be wanted again. */
void link_want_lists(struct link *l, const struct sl_list_ends *ends, size_t count);

/* Nothing more of a connection is needed. Does not wait: when the channel is full it is dropped,
 * and the connection is copied to its end. */
void link_mute(struct link *l, uint64_t conn_id, enum sl_mute why);

/* All is set up: CMD may go. */
void link_ready(struct link *l);
/* Hands out what has come, without waiting: for an event of a target that is not known yet. */
void link_catch_up(struct link *l);
/* Gets the counters of all targets and the broker's usage, through the ops: as of now, also from
 * within ops->waiting(), and when an earlier request was not answered in time. */
void link_refresh(struct link *l);
/* Has the broker detach from everything, for good; hands out the last counters. */
void link_detach(struct link *l);

/* For the ring: see struct ring_owner_ops. link_answer() does not wait: when the channel is full
 * the answer is dropped. */
int link_answer(void *link, uint64_t conn_id, enum dir dir, uint32_t seq);
int link_fetch_closes(void *link, struct sl_close *ret_closes, int max);

#endif
