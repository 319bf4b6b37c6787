/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's list of sockets, who holds them, and the cgroups that they name: against our own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pod/cgroup_tree.h"
#include "pod/holders.h"
#include "pod/sock_diag.h"

struct world {
	int diag;
	int listener;
	int client;
	int server;
	uint16_t port;
};

struct seen {
	const struct world *w;
	struct sock_info listener;
	struct sock_info server; /* the accepted end */
	unsigned count;
};

static int set_up(void **state)
{
	static struct world w;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	bool is_elsewhere = true;

	w.diag = sock_diag_open(getpid(), &is_elsewhere);
	w.listener = socket(AF_INET, SOCK_STREAM, 0);
	w.client = socket(AF_INET, SOCK_STREAM, 0);
	if (w.diag < 0 || is_elsewhere || bind(w.listener, (void *)&at, sizeof(at)) ||
	    listen(w.listener, 1) || getsockname(w.listener, (void *)&at, &len) ||
	    connect(w.client, (void *)&at, sizeof(at)))
		return -1;
	w.server = accept(w.listener, NULL, NULL);
	w.port = ntohs(at.sin_port);
	*state = &w;
	return w.server < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	const struct world *w = *state;
	const int fds[] = {w->diag, w->listener, w->client, w->server};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		(void)close(fds[i]);
	return 0;
}

static uint32_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

static void on_socket(void *ctx, const struct sock_info *s)
{
	struct seen *seen = ctx;

	seen->count++;
	if (s->inode == inode_of(seen->w->listener))
		seen->listener = *s;
	else if (s->inode == inode_of(seen->w->server))
		seen->server = *s;
}

static void test_own_sockets(void **state)
{
	const struct world *w = *state;
	struct seen seen = {.w = w};
	struct cgroup own = {.fd = -1};
	char data[10] = "0123456789";

	assert_int_equal(send(w->client, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(recv(w->server, data, sizeof(data), MSG_WAITALL), sizeof(data));
	assert_int_equal(sock_diag_each(w->diag, NULL, SIZE_MAX, on_socket, &seen), 0);
	assert_true(seen.listener.is_listener && !seen.server.is_listener);
	assert_int_equal(seen.listener.local_port, w->port);
	assert_int_equal(seen.server.local_port, w->port);
	assert_int_equal(seen.server.local_addr[0], htonl(INADDR_LOOPBACK));
	assert_int_equal(seen.server.bytes, sizeof(data));
	assert_int_equal(seen.server.tcp.bytes_received, sizeof(data));
	assert_int_equal(seen.server.remote_addr[0], htonl(INADDR_LOOPBACK));
	assert_true(seen.server.tcp.srtt_us && seen.server.tcp.send_window);
	assert_true(!seen.server.tcp.has_receive_window || seen.server.tcp.receive_window);
	assert_true(seen.server.cookie && seen.server.cookie != seen.listener.cookie);
	assert_false(seen.server.has_storage);
	/* Made by us, in our cgroup. */
	if (cgroup_open_pid(&own, getpid()) == 0) {
		assert_int_equal(seen.listener.cgroup_id, own.id);
		assert_int_equal(seen.server.cgroup_id, own.id);
	}
	cgroup_close(&own);
}

static void test_a_bound(void **state)
{
	const struct world *w = *state;
	struct seen seen = {.w = w};

	assert_int_equal(sock_diag_each(w->diag, NULL, 1, on_socket, &seen), -E2BIG);
	assert_int_equal(seen.count, 1);
	/* What was left of that answer is not in the next. */
	assert_int_equal(sock_diag_each(w->diag, NULL, SIZE_MAX, on_socket, &seen), 0);
	assert_int_equal(seen.listener.local_port, w->port);
}

static void test_holders_and_cgroups(void **state)
{
	const struct world *w = *state;
	struct holders holders = {0};
	struct cgroup own = {.fd = -1};
	struct cgroup same = {.fd = -1};
	const struct holder *h;

	if (cgroup_open_pid(&own, getpid()))
		skip();
	assert_int_equal(cgroup_tree_open(&same, own.id), 0);
	assert_string_equal(same.path, own.path);
	assert_int_equal(same.id, own.id);
	cgroup_close(&same);
	assert_int_equal(cgroup_tree_open(&same, 1ull << 60), -ENOENT);
	holders_add(&holders, &own, 7);
	holders_sort(&holders);
	h = holders_find(&holders, inode_of(w->listener));
	assert_non_null(h);
	assert_int_equal(h->owner, 7);
	assert_int_equal(h->pid, getpid());
	assert_null(holders_find(&holders, 0));
	holders_release(&holders);
	cgroup_close(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_sockets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holders_and_cgroups, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
