/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/programs.h"
#include "capture/syscall_list.h"

#define END_OF(member)                                                                             \
	(offsetof(struct channel_message, member) +                                                \
	 sizeof(((struct channel_message *)NULL)->member))
#define HEADER END_OF(count)

static const size_t sizes[CHANNEL_MAX] = {
	[CHANNEL_RING] = END_OF(ring),
	[CHANNEL_TARGET] = END_OF(target.name),
	[CHANNEL_STARTED] = HEADER,
	[CHANNEL_COUNTERS] = END_OF(target.counters),
	[CHANNEL_REFRESHED] = END_OF(refreshed),
	[CHANNEL_CLOSES] = END_OF(closes),
	[CHANNEL_DETACHED] = HEADER,
	[CHANNEL_STOP] = HEADER,
	[CHANNEL_WATCHED] = HEADER,
	[CHANNEL_UNSEEN] = END_OF(unseen),
	[CHANNEL_SECRETS] = END_OF(secret_fds),
	[CHANNEL_TLS] = END_OF(tls),
	[CHANNEL_SOCKETS] = END_OF(sockets),
	[CHANNEL_LISTED] = END_OF(listed),
	[CHANNEL_NAMED] = END_OF(named),
	[CHANNEL_COUNTING] = END_OF(counting),
	[CHANNEL_CALLS] = END_OF(calls),
	[CHANNEL_CALL_ERRORS] = END_OF(call_errors),
	[CHANNEL_HEADER_LIST] = END_OF(header_list),
	[CHANNEL_READY] = HEADER,
	[CHANNEL_REFRESH] = HEADER,
	[CHANNEL_ANSWER] = END_OF(answer),
	[CHANNEL_FETCH] = HEADER,
	[CHANNEL_DETACH] = HEADER,
	[CHANNEL_LOOK] = HEADER,
	[CHANNEL_MUTE] = END_OF(mute),
	[CHANNEL_LIST] = HEADER,
	[CHANNEL_PROCESS] = HEADER,
	[CHANNEL_COUNT] = HEADER,
	[CHANNEL_WANT_LISTS] = END_OF(wanted),
};

size_t channel_size(uint32_t kind)
{
	return kind < CHANNEL_MAX ? sizes[kind] : 0;
}

static bool are_sockets_valid(const struct channel_message *m)
{
	if (m->count > CHANNEL_SOCKETS_MAX)
		return false;
	for (size_t i = 0; i < m->count; i++) {
		const struct channel_socket *s = &m->sockets[i];

		if (!s->number || (s->family != 4 && s->family != 6) ||
		    (s->role != SL_ROLE_SERVER && s->role != SL_ROLE_CLIENT))
			return false;
	}
	return true;
}

static bool are_calls_valid(const struct channel_message *m)
{
	if (m->count > CHANNEL_CALLS_MAX)
		return false;
	for (size_t i = 0; i < m->count; i++)
		if (m->calls[i].call >= syscall_count)
			return false;
	return true;
}

static bool are_call_errors_valid(const struct channel_message *m)
{
	if (m->count > CHANNEL_CALL_ERRORS_MAX)
		return false;
	for (size_t i = 0; i < m->count; i++)
		if (m->call_errors[i].call >= syscall_count)
			return false;
	return true;
}

static bool are_ends_valid(const struct sl_list_ends *ends)
{
	for (size_t i = 0; i < 2; i++)
		if (ends->end[i].family != 4 && ends->end[i].family != 6)
			return false;
	return true;
}

static bool is_header_list_valid(const struct channel_message *m)
{
	return are_ends_valid(&m->header_list.ends) &&
	       m->header_list.bytes <= sizeof(m->header_list.text) &&
	       m->header_list.is_server <= 1 && m->header_list.is_written <= 1 &&
	       m->header_list.is_end <= 1;
}

static bool are_wanted_valid(const struct channel_message *m)
{
	if (m->count > CHANNEL_WANTED_MAX)
		return false;
	for (size_t i = 0; i < m->count; i++)
		if (!are_ends_valid(&m->wanted[i]))
			return false;
	return true;
}

bool channel_is_valid(const struct channel_message *m, size_t size, enum channel_side sender)
{
	if (size < HEADER || size != channel_size(m->kind) ||
	    (m->kind >= CHANNEL_READY) != (sender == SIDE_WORKER))
		return false;
	switch (m->kind) {
	case CHANNEL_TARGET:
	case CHANNEL_COUNTERS:
		return m->target.number && memchr(m->target.name, '\0', sizeof(m->target.name));
	case CHANNEL_CLOSES:
		return m->count <= CHANNEL_CLOSES_MAX;
	case CHANNEL_WATCHED:
		return m->count <= PROGRAMS_CGROUPS_MAX;
	case CHANNEL_UNSEEN:
		return m->unseen.number && memchr(m->unseen.name, '\0', sizeof(m->unseen.name));
	case CHANNEL_SOCKETS:
		return are_sockets_valid(m);
	case CHANNEL_TLS:
		return m->tls.reach < TLS_REACH_MAX;
	case CHANNEL_NAMED:
		return memchr(m->named.name, '\0', sizeof(m->named.name));
	case CHANNEL_COUNTING:
	case CHANNEL_COUNT:
		return m->count <= 1;
	case CHANNEL_CALLS:
		return are_calls_valid(m);
	case CHANNEL_CALL_ERRORS:
		return are_call_errors_valid(m);
	case CHANNEL_HEADER_LIST:
		return is_header_list_valid(m);
	case CHANNEL_WANT_LISTS:
		return are_wanted_valid(m);
	case CHANNEL_PROCESS:
		return m->count <= INT32_MAX;
	case CHANNEL_ANSWER:
		return m->answer.dir <= DIR_EGRESS;
	case CHANNEL_MUTE:
		return m->mute.why > 0 && m->mute.why < SL_MUTE_MAX;
	default:
		return true;
	}
}

int channel_open(int ret_ends[2])
{
	const int half = CHANNEL_ROOM / 2; /* the kernel doubles it (sock_setsockopt()) */

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends))
		return -errno;
	if (setsockopt(ret_ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &half, sizeof(half)))
		/* Cannot fail; what it does not give is made up for by the shares of bulk. */
		(void)setsockopt(ret_ends[0], SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
	return 0;
}

#define FDS_MAX RING_MAPS
_Static_assert((int)SECRET_RING_MAPS <= (int)FDS_MAX, "room for the descriptors of all kinds");

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
};

/* The descriptors that go with a message of this kind; NULL: none do. */
static int *fds_of(struct channel_message *m, size_t *ret_count)
{
	*ret_count = 0;
	if (m->kind == CHANNEL_RING) {
		*ret_count = RING_MAPS;
		return m->ring.fds;
	}
	if (m->kind == CHANNEL_SECRETS) {
		*ret_count = SECRET_RING_MAPS;
		return m->secret_fds;
	}
	return NULL;
}

int channel_send(int fd, const struct channel_message *m)
{
	struct iovec part = {(void *)m, channel_size(m->kind)};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	union control control = {0};
	size_t count;
	const int *fds = fds_of((struct channel_message *)m, &count);

	if (fds) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * count),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	}
	return sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * With the kernel's usual 212992 bytes, 3/4 are 159744: enough for the 64 COUNTERS and REFRESHED
 * of a full set of targets (148224).
 */
int channel_send_bulk(int fd, const struct channel_message *m, enum channel_bulk bulk)
{
	static const int parts[] = {[CHANNEL_BULK_ROWS] = 8, [CHANNEL_BULK_LISTS] = 16};
	int room = 0;
	int waiting = 0;
	socklen_t len = sizeof(room);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len) || ioctl(fd, SIOCOUTQ, &waiting))
		return -errno;
	return waiting > room / parts[bulk] ? -EAGAIN : channel_send(fd, m);
}

/* The descriptors that came with a packet, into ret_fds. Returns how many. */
static size_t take_descriptors(struct msghdr *packet, int ret_fds[FDS_MAX])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	size_t count = 0;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(ret_fds, CMSG_DATA(header), count * sizeof(int));
	return count;
}

int channel_receive(int fd, struct channel_message *ret_message, enum channel_side sender)
{
	struct iovec part = {ret_message, sizeof(*ret_message)};
	union control control;
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	int fds[FDS_MAX];
	int *wanted;
	size_t wanted_count;
	size_t count;
	ssize_t n;

	do {
		n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	count = take_descriptors(&packet, fds);
	wanted = fds_of(ret_message, &wanted_count);
	if (!(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && count == wanted_count &&
	    channel_is_valid(ret_message, (size_t)n, sender)) {
		if (wanted)
			memcpy(wanted, fds, sizeof(int) * count);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]); /* nobody asked for it */
	return -EBADMSG;
}
