/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_state.h"

#include "agent/debug_log.h"
#include "base/log.h"
#include "metrics/red.h"
#include "metrics/tcp_sockets.h"

static void on_open(struct run *r, const struct event_open *open)
{
	/* Announced before it was attached to: the message is in the channel. */
	if (open->container > r->link.highest)
		link_catch_up(&r->link);
	if (open->role == ROLE_UNKNOWN)
		watch_joined(r->watch);
	tls_keys_opened(&r->tls);
}

void run_on_event(void *ctx, const struct event *ev)
{
	struct run *r = ctx;

	if (ev->kind == EVENT_OPEN)
		on_open(r, &ev->open);
	tls_keys_catch_up(&r->tls);
	if (ev->kind != EVENT_DATA && log_has(LOG_LEVEL_DEBUG))
		debug_log_event(ev);
	if (ev->kind == EVENT_CLOSE) {
		self_metrics_tcp_close(r->self, &ev->close);
		connections_closed(&r->connections, ev->id, &ev->close);
	}
	request_metrics_event(&r->requests, ev);
	engine_event(r->engine, ev);
}

void run_on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct run *r = ctx;

	(void)source_answer(r->source, conn_id, dir, seq);
}

void run_on_unneeded(void *ctx, uint64_t conn_id, enum sl_mute why)
{
	link_mute(&((struct run *)ctx)->link, conn_id, why);
}

void run_on_lists_wanted(void *ctx)
{
	header_lists_agent_wanted(&((struct run *)ctx)->header_lists);
}

bool run_on_secrets_needed(void *ctx)
{
	return tls_keys_fetch(&((struct run *)ctx)->tls);
}

static void on_target(void *ctx, uint64_t number, const char *name)
{
	struct run *r = ctx;

	watch_target(r->watch, name);
	if (red_container(r->requests.red, number, name))
		log_error("run: out of memory; container %s has no name in the metrics", name);
	tcp_sockets_container(r->connections.sockets, number);
}

static void on_counters(void *ctx, uint64_t number, const char *name, const uint64_t *counters)
{
	struct run *r = ctx;

	on_target(ctx, number, name); /* it is still watched */
	self_metrics_kernel(r->self, number, name, counters);
}

static void on_watched(void *ctx, unsigned count)
{
	struct run *r = ctx;

	r->watched = count;
	watch_cgroups(r->watch, count);
}

static void on_unseen(void *ctx, const char *name, const uint32_t *now, const uint32_t *added)
{
	watch_unseen(((struct run *)ctx)->watch, name, now, added);
}

static void on_looks(void *ctx, uint64_t count, uint64_t cut)
{
	watch_looks(((struct run *)ctx)->watch, count, cut);
}

static void on_usage(void *ctx, const struct usage *broker)
{
	self_metrics_broker(((struct run *)ctx)->self, broker);
}

static void on_secrets(void *ctx, const int fds[SECRET_RING_MAPS])
{
	tls_keys_open(&((struct run *)ctx)->tls, fds);
}

static void on_tls(void *ctx, enum tls_reach reach, uint32_t probes)
{
	tls_keys_reach(&((struct run *)ctx)->tls, reach, probes);
}

static void on_sockets(void *ctx, const struct channel_socket *sockets, size_t count)
{
	connections_add(&((struct run *)ctx)->connections, sockets, count);
}

static void on_listed(void *ctx, bool is_new, bool is_cut)
{
	struct run *r = ctx;

	tcp_sockets_end(r->connections.sockets, is_new, is_cut);
	live_listed(&r->live);
}

static void on_syscalls(void *ctx, const struct channel_message *m)
{
	syscalls_agent_message(&((struct run *)ctx)->syscalls, m);
}

static void on_lists_lost(void *ctx, uint64_t count)
{
	header_lists_agent_lost(&((struct run *)ctx)->header_lists, count);
}

static void on_header_list(void *ctx, const struct channel_message *m)
{
	header_lists_agent_message(&((struct run *)ctx)->header_lists, m);
}

/* The broker attaches something, and takes its time: the ring would overflow. But run_on_event()
 * waits in the middle of reading it. */
static void on_waiting(void *ctx)
{
	struct run *r = ctx;
	bool awaits = r->awaits_refresh;

	r->awaits_refresh = false;
	if (awaits)
		reader_drain(&r->reader);
	r->awaits_refresh = awaits;
}

const struct link_ops run_link_ops = {
	.target = on_target,
	.counters = on_counters,
	.watched = on_watched,
	.unseen = on_unseen,
	.looks = on_looks,
	.usage = on_usage,
	.secrets = on_secrets,
	.tls = on_tls,
	.sockets = on_sockets,
	.listed = on_listed,
	.syscalls = on_syscalls,
	.lists_lost = on_lists_lost,
	.header_list = on_header_list,
	.waiting = on_waiting,
	.stop = run_stop,
};
