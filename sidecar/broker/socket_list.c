/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/socket_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* Of the network namespace, of whichever cgroup. */
#define SOCKETS_MAX 65536
/*
 * Pieces of the kernel's list in one part: a hundred sockets, whose messages take a quarter of what
 * the channel holds.
 */
#define PART_PIECES 2
/* A list may take a hundredth of one CPU: the next one begins so many times its cost later. */
#define COST_SHARE 100

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void send_message(struct socket_list *l, const struct channel_message *m)
{
	/* A worker that is gone shows as the end of the channel. */
	if (channel_send(l->targets->channel, m) == -EAGAIN)
		l->targets->is_deaf = true;
}

static void send_waiting(struct socket_list *l)
{
	if (l->message.count)
		send_message(l, &l->message);
	l->message = (struct channel_message){.kind = CHANNEL_SOCKETS};
}

/* An IPv6 socket has its IPv4 connections with mapped addresses. */
static bool is_mapped(const uint32_t *addr)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, prefix, sizeof(prefix)) == 0;
}

static void set_addresses(struct channel_socket *to, const struct sock_info *s)
{
	to->local_port = s->local_port;
	to->remote_port = s->remote_port;
	to->family = 4;
	if (!s->is_ipv6) {
		to->local_addr[0] = s->local_addr[0];
		to->remote_addr[0] = s->remote_addr[0];
	} else if (is_mapped(s->local_addr)) {
		to->local_addr[0] = s->local_addr[3];
		to->remote_addr[0] = s->remote_addr[3];
	} else {
		memcpy(to->local_addr, s->local_addr, sizeof(to->local_addr));
		memcpy(to->remote_addr, s->remote_addr, sizeof(to->remote_addr));
		to->family = 6;
	}
}

/* The kernel lists listeners first. */
static bool is_listening(const struct socket_list *l, uint16_t port)
{
	return l->ports[port / 8] >> port % 8 & 1;
}

static void set_state(const struct socket_list *l, struct channel_socket *to,
		      const struct sock_info *s)
{
	struct sl_socket state = {0};

	if (s->storage_len >= sizeof(state))
		memcpy(&state, s->storage, sizeof(state));
	to->conn_id = state.id;
	to->opened = state.opened;
	to->role = state.role;
	if (to->role != SL_ROLE_SERVER && to->role != SL_ROLE_CLIENT)
		to->role = is_listening(l, s->local_port) ? SL_ROLE_SERVER : SL_ROLE_CLIENT;
}

static void on_socket(void *ctx, const struct sock_info *s)
{
	struct socket_list *l = ctx;
	int slot = socket_members_slot(&l->members, s->cgroup_id);
	struct channel_socket *to = &l->message.sockets[l->message.count];

	if (s->is_listener)
		l->ports[s->local_port / 8] |= (uint8_t)(1 << s->local_port % 8);
	if (s->is_listener || slot < 0 || !l->numbers[slot])
		return;
	*to = (struct channel_socket){
		.number = l->numbers[slot],
		.cookie = s->cookie,
		.bytes_received = s->tcp.bytes_received,
		.bytes_sent = s->tcp.bytes_sent,
		.window_limited_us = s->tcp.window_limited_us,
		.srtt_us = s->tcp.srtt_us,
		.retransmits = s->tcp.retransmits,
		.send_window = s->tcp.send_window,
		.receive_window = s->tcp.receive_window,
		.has_receive_window = s->tcp.has_receive_window,
	};
	set_addresses(to, s);
	set_state(l, to, s);
	if (++l->message.count == CHANNEL_SOCKETS_MAX)
		send_waiting(l);
}

void socket_list_open(struct socket_list *l, pid_t pid)
{
	bool is_elsewhere;

	if (l->is_broken || l->diag_fd >= 0)
		return;
	l->diag_fd = sock_diag_open(pid, &is_elsewhere);
	l->ports = calloc(1, SOCKET_LIST_PORTS);
	l->is_broken = l->diag_fd < 0 || !l->ports;
}

static bool is_open(struct socket_list *l)
{
	if (!l->is_of_target)
		socket_list_open(l, 0);
	return !l->is_broken && l->diag_fd >= 0;
}

static int begin_list(struct socket_list *l)
{
	const struct sock_diag_maps maps = {l->map_fds, PROGRAMS_STORAGES};

	return sock_diag_begin(&l->list, l->diag_fd, l->has_storage ? &maps : NULL, SOCKETS_MAX);
}

static int begin(struct socket_list *l)
{
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct target *t = l->targets->slots[i].target;

		l->numbers[i] = t ? t->number : 0;
	}
	memset(l->ports, 0, SOCKET_LIST_PORTS);
	programs_storages(l->targets->programs, l->map_fds);
	socket_members_init(&l->members, l->targets);
	l->message = (struct channel_message){.kind = CHANNEL_SOCKETS};
	l->is_cut = l->members.is_cut;
	l->has_storage = true;
	l->is_listing = true;
	l->cost_ns = 0;
	return begin_list(l);
}

/* Returns as sock_diag_step(). */
static int step(struct socket_list *l)
{
	int done = 0;

	for (int i = 0; i < PART_PIECES && done == 0; i++)
		done = sock_diag_step(&l->list, on_socket, l);
	/* The kernel refuses information on the maps: connections have no id then. */
	if ((done == -EPERM || done == -EINVAL) && l->has_storage) {
		l->has_storage = false;
		return begin_list(l);
	}
	return done;
}

static void give_up(struct socket_list *l, int err)
{
	l->is_broken = true;
	log_info("run: open connections cannot be listed (%s)",
		 err == -EOPNOTSUPP ? "the kernel has no tcp_diag" : strerror(-err));
}

/* Returns whether there is more. */
static bool send_part(struct socket_list *l)
{
	uint64_t before = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	int done = l->is_listing ? 0 : begin(l);

	if (!done)
		done = step(l);
	send_waiting(l);
	l->is_cut |= done < 0;
	if (done < 0 && done != -E2BIG)
		give_up(l, done);
	l->cost_ns += read_clock(CLOCK_PROCESS_CPUTIME_ID) - before;
	if (done == 0)
		return true;
	l->not_before_ns = read_clock(CLOCK_MONOTONIC) + l->cost_ns * COST_SHARE;
	l->is_listing = false;
	socket_members_release(&l->members);
	return false;
}

void socket_list_send(struct socket_list *l)
{
	struct channel_message m = {.kind = CHANNEL_LISTED};
	bool is_due = l->is_listing || read_clock(CLOCK_MONOTONIC) >= l->not_before_ns;

	if (l->targets && is_due && is_open(l)) {
		m.listed.has_more = send_part(l);
		m.listed.is_new = !m.listed.has_more && !l->is_broken;
		m.listed.is_cut = l->is_cut;
	}
	if (l->targets)
		send_message(l, &m);
}

void socket_list_start(struct socket_list *l, struct targets *targets, bool is_of_target)
{
	*l = (struct socket_list){.targets = targets, .is_of_target = is_of_target, .diag_fd = -1};
}

void socket_list_stop(struct socket_list *l)
{
	if (!l->targets)
		return;
	l->targets = NULL;
	if (l->diag_fd >= 0)
		(void)close(l->diag_fd); /* nothing was written */
	free(l->ports);
	socket_members_release(&l->members);
}
