/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE_WAIT = 8, STATE_LISTEN = 10 };

#define STATES	 (1u << STATE_ESTABLISHED | 1u << STATE_CLOSE_WAIT | 1u << STATE_LISTEN)
#define MAPS_MAX 4
/* What the kernel fills at once, at most (netlink_dump()). */
#define BUFFER_BYTES 32768
/* The kernel answers while it is asked: this only bounds a fault. */
#define TIMEOUT_S 2
/* Of the one list that is under way. */
#define SEQUENCE 1

/*
 * The older of the two requests: it has no family, so the kernel walks its
 * table of connections once for IPv4 and IPv6, and not once for each
 * (net/ipv4/inet_diag.c, inet_diag_dump_compat()). The walk is what a list
 * costs where that table is large.
 */
struct request {
	struct nlmsghdr header;
	struct inet_diag_req diag;
	struct nlattr nest;
	struct {
		struct nlattr attr;
		uint32_t fd;
	} maps[MAPS_MAX];
};

/* The network namespace of a process if that is not ours, else -1. */
static int open_namespace(pid_t pid, int *ret_fd)
{
	char path[32];
	struct stat ours;
	struct stat its;

	*ret_fd = -1;
	if (!pid)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid); /* shorter */
	if (stat(path, &its) || stat("/proc/self/ns/net", &ours))
		return errno == ENOENT ? 0 : -errno; /* it has ended */
	if (its.st_ino == ours.st_ino)
		return 0;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 && errno != ENOENT ? -errno : 0;
}

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* In the other namespace; we are in ours again afterwards. */
static int open_netlink_in(int namespace_fd)
{
	scoped_fd int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (ours < 0 || setns(namespace_fd, CLONE_NEWNET))
		return -errno;
	fd = open_netlink();
	if (setns(ours, CLONE_NEWNET) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return -errno;
}

int sock_diag_open(pid_t pid, bool *ret_is_elsewhere)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	scoped_fd int namespace_fd = -1;
	int err = open_namespace(pid, &namespace_fd);
	int fd;

	if (err)
		return err;
	fd = namespace_fd < 0 ? open_netlink() : open_netlink_in(namespace_fd);
	if (fd < 0)
		return fd;
	*ret_is_elsewhere = namespace_fd >= 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)); /* cannot fail */
	return fd;
}

static int send_request(const struct sock_diag_list *l)
{
	const struct sock_diag_maps *maps = &l->maps;
	struct request r = {
		.header = {.nlmsg_type = TCPDIAG_GETSOCK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			   .nlmsg_seq = SEQUENCE},
		.diag = {.idiag_ext = 1u << (INET_DIAG_INFO - 1), .idiag_states = STATES},
		.nest = {.nla_type = INET_DIAG_REQ_SK_BPF_STORAGES | NLA_F_NESTED},
	};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	size_t count = maps->count < MAPS_MAX ? maps->count : MAPS_MAX;
	size_t len = offsetof(struct request, nest);

	if (count) {
		r.nest.nla_len = (uint16_t)(sizeof(r.nest) + count * sizeof(r.maps[0]));
		len += r.nest.nla_len;
	}
	for (size_t i = 0; i < count; i++) {
		r.maps[i].attr = (struct nlattr){.nla_len = sizeof(r.maps[i]),
						 .nla_type = SK_DIAG_BPF_STORAGE_REQ_MAP_FD};
		r.maps[i].fd = (uint32_t)maps->fds[i];
	}
	r.header.nlmsg_len = (uint32_t)len;
	return sendto(l->fd, &r, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0
		       ? -errno
		       : 0;
}

/* The first attribute of this type in a nest; NULL: there is none. */
static const struct nlattr *find_in(const struct nlattr *nest, uint16_t type)
{
	const char *at = (const char *)nest + NLA_HDRLEN;
	const char *end = (const char *)nest + nest->nla_len;

	while (end - at >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)at;

		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if (end - at < NLA_ALIGN(a->nla_len))
			return NULL;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

/* The first value of the maps that were asked about, if there is any. */
static void read_storage(const struct nlattr *nest, struct sock_info *s)
{
	const struct nlattr *first = find_in(nest, SK_DIAG_BPF_STORAGE);
	const struct nlattr *value;

	if (!first)
		return;
	s->has_storage = true;
	value = find_in(first, SK_DIAG_BPF_STORAGE_MAP_VALUE);
	if (!value)
		return;
	s->storage = (const char *)value + NLA_HDRLEN;
	s->storage_len = value->nla_len - NLA_HDRLEN;
}

/* tcpi_rcv_wnd, and behind it tcpi_rehash: both since 6.2 (71fc704768f6); before, the first of them
 * was padding. */
#define RECEIVE_WINDOW_AT                                                                          \
	(offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(((struct tcp_info *)NULL)->tcpi_snd_wnd))

static void read_info(const char *value, size_t len, struct sock_info *s)
{
	struct tcp_info info = {0};

	memcpy(&info, value, len < sizeof(info) ? len : sizeof(info));
	s->bytes = info.tcpi_bytes_received + info.tcpi_bytes_acked;
	s->tcp = (struct sock_tcp){
		.bytes_received = info.tcpi_bytes_received,
		.bytes_sent = info.tcpi_bytes_acked,
		.window_limited_us = info.tcpi_rwnd_limited,
		.srtt_us = info.tcpi_rtt,
		.retransmits = info.tcpi_total_retrans,
		.send_window = info.tcpi_snd_wnd,
		.has_receive_window = len >= RECEIVE_WINDOW_AT + 2 * sizeof(uint32_t),
	};
	if (s->tcp.has_receive_window)
		memcpy(&s->tcp.receive_window, value + RECEIVE_WINDOW_AT, sizeof(uint32_t));
}

static void read_attribute(const struct nlattr *a, struct sock_info *s)
{
	const char *value = (const char *)a + NLA_HDRLEN;
	size_t len = a->nla_len - NLA_HDRLEN;

	switch (a->nla_type & NLA_TYPE_MASK) {
	case INET_DIAG_INFO:
		read_info(value, len, s);
		break;
	case INET_DIAG_CGROUP_ID:
		if (len >= sizeof(s->cgroup_id))
			memcpy(&s->cgroup_id, value, sizeof(s->cgroup_id));
		break;
	case INET_DIAG_SK_BPF_STORAGES:
		read_storage(a, s);
		break;
	}
}

/* False: it is too short to be one. */
static bool read_socket(const struct nlmsghdr *h, struct sock_info *ret_socket)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const char *at = (const char *)(m + 1);
	const char *end = (const char *)h + h->nlmsg_len;
	const struct nlattr *a;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	*ret_socket = (struct sock_info){
		.cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
		.inode = m->idiag_inode,
		.local_port = ntohs(m->id.idiag_sport),
		.remote_port = ntohs(m->id.idiag_dport),
		.is_ipv6 = m->idiag_family == AF_INET6,
		.is_listener = m->idiag_state == STATE_LISTEN,
	};
	memcpy(ret_socket->local_addr, m->id.idiag_src, sizeof(ret_socket->local_addr));
	memcpy(ret_socket->remote_addr, m->id.idiag_dst, sizeof(ret_socket->remote_addr));
	for (; end - at >= NLA_HDRLEN; at += NLA_ALIGN(a->nla_len)) {
		a = (const struct nlattr *)at;
		if (a->nla_len < NLA_HDRLEN || a->nla_len > end - at)
			return false;
		read_attribute(a, ret_socket);
		if (end - at < NLA_ALIGN(a->nla_len))
			break;
	}
	return true;
}

/* Is all of this message there? The macros of netlink(7) mix signed and unsigned lengths. */
static bool is_whole(const struct nlmsghdr *h, const char *end)
{
	ptrdiff_t left = end - (const char *)h;

	return left >= (ptrdiff_t)sizeof(*h) && h->nlmsg_len >= sizeof(*h) &&
	       (ptrdiff_t)h->nlmsg_len <= left;
}

static const struct nlmsghdr *next_of(const struct nlmsghdr *h)
{
	return (const struct nlmsghdr *)((const char *)h + NLMSG_ALIGN(h->nlmsg_len));
}

struct sink {
	void (*fn)(void *ctx, const struct sock_info *s);
	void *ctx;
};

static void hand_out(struct sock_diag_list *l, const struct sock_info *s, const struct sink *sink)
{
	l->is_named |= s->cgroup_id != 0;
	l->is_unnamed |= s->cgroup_id == 0;
	if (l->left) {
		l->left--;
		if (sink->fn)
			sink->fn(sink->ctx, s);
	} else {
		l->is_cut = true;
	}
}

/* A list that failed on the way ends as one that is complete does, with its error behind it.
 * Returns 1 or negative errno. */
static int read_end(const struct nlmsghdr *h)
{
	int err = 0;

	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(h), sizeof(err));
	return err < 0 ? err : 1;
}

/* 1: the answer is complete. 0: more follows. Else negative errno. */
static int read_messages(struct sock_diag_list *l, const char *buf, size_t len,
			 const struct sink *sink)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	const char *end = buf + len;
	struct sock_info s;
	int err;

	for (; is_whole(h, end); h = next_of(h)) {
		if (h->nlmsg_seq != SEQUENCE)
			continue;
		if (h->nlmsg_type == NLMSG_DONE)
			return read_end(h);
		if (h->nlmsg_type == NLMSG_ERROR) {
			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
				return -EBADMSG;
			err = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			return err ? err : -EBADMSG;
		}
		if (!read_socket(h, &s))
			return -EBADMSG;
		hand_out(l, &s, sink);
	}
	return 0;
}

int sock_diag_begin(struct sock_diag_list *l, int fd, const struct sock_diag_maps *maps, size_t max)
{
	*l = (struct sock_diag_list){.fd = fd, .left = max};
	if (maps)
		l->maps = *maps;
	return send_request(l);
}

int sock_diag_step(struct sock_diag_list *l, void (*fn)(void *ctx, const struct sock_info *s),
		   void *ctx)
{
	const struct sink sink = {fn, ctx};
	char buf[BUFFER_BYTES] __attribute__((aligned(__alignof__(struct nlmsghdr))));
	ssize_t n = recv(l->fd, buf, sizeof(buf), 0);
	int done;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	done = read_messages(l, buf, (size_t)n, &sink);
	if (done == -ENOENT)
		return -EOPNOTSUPP;
	if (done == 1 && l->is_unnamed && !l->is_named)
		return -EOPNOTSUPP;
	return done == 1 && l->is_cut ? -E2BIG : done;
}

int sock_diag_each(int fd, const struct sock_diag_maps *maps, size_t max,
		   void (*fn)(void *ctx, const struct sock_info *s), void *ctx)
{
	struct sock_diag_list l;
	int done = sock_diag_begin(&l, fd, maps, max);

	while (done == 0)
		done = sock_diag_step(&l, fn, ctx);
	return done < 0 ? done : 0;
}
