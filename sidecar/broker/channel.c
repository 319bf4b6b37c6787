/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/programs.h"

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
	[CHANNEL_READY] = HEADER,
	[CHANNEL_REFRESH] = HEADER,
	[CHANNEL_ANSWER] = END_OF(answer),
	[CHANNEL_FETCH] = HEADER,
	[CHANNEL_DETACH] = HEADER,
};

size_t channel_size(uint32_t kind)
{
	return kind < CHANNEL_MAX ? sizes[kind] : 0;
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
	case CHANNEL_ANSWER:
		return m->answer.dir <= DIR_EGRESS;
	default:
		return true;
	}
}

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * RING_MAPS)];
};

int channel_send(int fd, const struct channel_message *m)
{
	struct iovec part = {(void *)m, channel_size(m->kind)};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	union control control = {0};

	if (m->kind == CHANNEL_RING) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof(control.bytes);
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(m->ring.fds)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), m->ring.fds, sizeof(m->ring.fds));
	}
	return sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The descriptors that came with a packet, into ret_fds; -1 for those that did not. */
static size_t take_descriptors(struct msghdr *packet, int ret_fds[RING_MAPS])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	size_t count = 0;

	for (size_t i = 0; i < RING_MAPS; i++)
		ret_fds[i] = -1;
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
	int fds[RING_MAPS];
	size_t wanted;
	size_t count;
	ssize_t n;

	do {
		n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	count = take_descriptors(&packet, fds);
	wanted = ret_message->kind == CHANNEL_RING ? RING_MAPS : 0;
	if (!(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && count == wanted &&
	    channel_is_valid(ret_message, (size_t)n, sender)) {
		if (wanted)
			memcpy(ret_message->ring.fds, fds, sizeof(fds));
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]); /* nobody asked for it */
	return -EBADMSG;
}
