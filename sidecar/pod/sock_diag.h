/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP sockets of one network namespace, as the kernel lists them
 * (sock_diag(7)): listeners and established connections.
 *
 * Listing takes no capability, except for asking about BPF storage (CAP_BPF).
 * Functions return 0 or negative errno and never log.
 */
#ifndef SIDELIGHT_POD_SOCK_DIAG_H
#define SIDELIGHT_POD_SOCK_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* TCP's numbers of a connection. */
struct sock_tcp {
	uint64_t bytes_received;
	uint64_t bytes_sent; /* and acknowledged */
	uint64_t window_limited_us; /* sending waited so long for the peer's receive window */
	uint32_t srtt_us;
	uint32_t retransmits;
	uint32_t send_window; /* that the peer has advertised */
	uint32_t receive_window; /* that this end has; valid if has_receive_window (Linux 6.2) */
	bool has_receive_window;
};

struct sock_info {
	uint64_t cookie; /* unique while the machine runs */
	uint64_t cgroup_id; /* of the process that made it, or its listener; 0: unknown */
	uint64_t bytes; /* payload received, and payload sent and acknowledged */
	uint32_t inode; /* as in /proc/PID/fd; 0: no process has it open */
	uint32_t local_addr[4]; /* network order; IPv4 in [0] */
	uint32_t remote_addr[4];
	uint16_t local_port;
	uint16_t remote_port;
	bool is_ipv6;
	bool is_listener;
	bool has_storage; /* one of the maps that were asked about has a value for it */
	const void *storage; /* the first such value; borrowed during the call; NULL: none */
	size_t storage_len;
	struct sock_tcp tcp;
};

struct sock_diag_maps {
	const int *fds; /* of BPF_MAP_TYPE_SK_STORAGE */
	size_t count;
};

/*
 * A netlink socket, to be closed by the caller, or negative errno. It lists the
 * network namespace of the process, which takes CAP_SYS_ADMIN unless that is
 * ours; pid 0: ours. For a process with a single thread.
 */
int sock_diag_open(pid_t pid, bool *ret_is_elsewhere);

/*
 * A list that is read one buffer at a time:
 *
 *     sock_diag_begin() -> sock_diag_step() until that is not 0
 *
 * There is one list at a time for a netlink socket, and it is read to its end.
 */
struct sock_diag_list {
	int fd; /* borrowed */
	struct sock_diag_maps maps;
	size_t left; /* sockets that are still handed out; further ones are not */
	bool is_named; /* some socket had a cgroup */
	bool is_unnamed; /* or had none */
	bool is_cut; /* there were more */
};

/* Of no more than `max` sockets. maps may be NULL. */
int sock_diag_begin(struct sock_diag_list *l, int fd, const struct sock_diag_maps *maps,
		    size_t max);
/*
 * Calls fn for some tens of sockets, each of which has a cookie from then on. Returns 0: there are
 * more; 1: these were the last; -E2BIG: likewise, and some were left out. -EOPNOTSUPP: the kernel
 * has no tcp_diag, or does not name cgroups of sockets (before 5.8). -EPERM, -EINVAL: it does not
 * tell of maps.
 */
int sock_diag_step(struct sock_diag_list *l, void (*fn)(void *ctx, const struct sock_info *s),
		   void *ctx);

/* All of it at once. Returns 0 or negative errno, as above. */
int sock_diag_each(int fd, const struct sock_diag_maps *maps, size_t max,
		   void (*fn)(void *ctx, const struct sock_info *s), void *ctx);

#endif
