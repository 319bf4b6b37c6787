/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker and the worker let each other say. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "broker/channel.h"
#include "capture/programs.h"
#include "capture/syscall_list.h"

static void test_who_may_say_what(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind < CHANNEL_MAX + 2; kind++) {
		struct channel_message m = {.kind = kind, .target.number = 1};

		if (kind == CHANNEL_MUTE)
			m.mute.why = SL_MUTE_UNKNOWN;
		if (kind == CHANNEL_HEADER_LIST)
			m.header_list.ends.end[0].family = m.header_list.ends.end[1].family = 4;
		size_t size = channel_size(kind);
		bool is_worker = kind >= CHANNEL_READY && kind < CHANNEL_MAX;

		/* An answer's conn_id stands where a target's number does: dir is 0. */
		assert_int_equal(channel_is_valid(&m, size, SIDE_WORKER), is_worker);
		assert_int_equal(channel_is_valid(&m, size, SIDE_BROKER),
				 !is_worker && kind < CHANNEL_MAX);
		assert_false(channel_is_valid(&m, size + 1, SIDE_WORKER));
		assert_false(channel_is_valid(&m, size + 1, SIDE_BROKER));
		if (size) {
			assert_false(channel_is_valid(&m, size - 1, SIDE_WORKER));
			assert_false(channel_is_valid(&m, size - 1, SIDE_BROKER));
		}
	}
}

static void test_header_list(void **state)
{
	struct channel_message m = {.kind = CHANNEL_HEADER_LIST};
	size_t size = channel_size(CHANNEL_HEADER_LIST);

	(void)state;
	m.header_list.ends.end[0].family = 4;
	assert_false(channel_is_valid(&m, size, SIDE_BROKER));
	m.header_list.ends.end[1].family = 6;
	assert_true(channel_is_valid(&m, size, SIDE_BROKER));
	m.header_list.bytes = SL_LIST_BYTES_MAX;
	assert_true(channel_is_valid(&m, size, SIDE_BROKER));
	m.header_list.bytes++;
	assert_false(channel_is_valid(&m, size, SIDE_BROKER));
	m.header_list.bytes = 0;
	m.header_list.is_server = 2;
	assert_false(channel_is_valid(&m, size, SIDE_BROKER));
}

static void test_wanted(void **state)
{
	struct channel_message m = {.kind = CHANNEL_WANT_LISTS};
	size_t size = channel_size(CHANNEL_WANT_LISTS);

	(void)state;
	assert_true(channel_is_valid(&m, size, SIDE_WORKER));
	m.count = 1;
	assert_false(channel_is_valid(&m, size, SIDE_WORKER));
	m.wanted[0].end[0].family = m.wanted[0].end[1].family = 6;
	assert_true(channel_is_valid(&m, size, SIDE_WORKER));
	m.count = CHANNEL_WANTED_MAX + 1;
	assert_false(channel_is_valid(&m, size, SIDE_WORKER));
}

/* Bulk until there is no room for more of it; ret_sent counts it. */
static void fill(int fd, uint32_t kind, enum channel_bulk bulk, unsigned *ret_sent)
{
	const struct channel_message m = {.kind = kind,
					  .header_list.ends = {{{.family = 4}, {.family = 4}}}};
	int err;

	while ((err = channel_send_bulk(fd, &m, bulk)) == 0)
		++*ret_sent;
	assert_int_equal(err, -EAGAIN);
}

/* room: of the kernel's count. However much bulk waits, the answer to a REFRESH fits, with as many
 * targets as there may be. */
static void check_bulk(int room)
{
	static const struct channel_message counters = {.kind = CHANNEL_COUNTERS,
							.target.number = 1};
	static const struct channel_message refreshed = {.kind = CHANNEL_REFRESHED};
	struct channel_message got;
	unsigned lists = 0;
	unsigned rows = 0;
	int half = room / 2;
	int ends[2];

	assert_int_equal(channel_open(ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)), 0);
	fill(ends[0], CHANNEL_HEADER_LIST, CHANNEL_BULK_LISTS, &lists);
	fill(ends[0], CHANNEL_CALLS, CHANNEL_BULK_ROWS, &rows);
	assert_true(lists > 1 && rows > 1);
	fill(ends[0], CHANNEL_HEADER_LIST, CHANNEL_BULK_LISTS, &lists);
	for (unsigned i = 0; i < PROGRAMS_CGROUPS_MAX; i++)
		assert_int_equal(channel_send(ends[0], &counters), 0);
	assert_int_equal(channel_send(ends[0], &refreshed), 0);
	for (unsigned i = 0; i < lists + rows + PROGRAMS_CGROUPS_MAX + 1; i++)
		assert_int_equal(channel_receive(ends[1], &got, SIDE_BROKER), 0);
	assert_int_equal(channel_receive(ends[1], &got, SIDE_BROKER), -EAGAIN);
	assert_int_equal(channel_send_bulk(ends[0], &counters, CHANNEL_BULK_ROWS), 0);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(channel_send_bulk(ends[0], &counters, CHANNEL_BULK_ROWS), -EBADF);
	assert_int_equal(close(ends[1]), 0);
}

static void test_bulk(void **state)
{
	(void)state;
	check_bulk(212992); /* net.core.wmem_default, usually */
	check_bulk(2 * 212992); /* what SO_SNDBUF gives, with the usual net.core.wmem_max */
	check_bulk(CHANNEL_ROOM);
}

/* Room that needs a capability is no condition: the tests may have none. */
static void test_room(void **state)
{
	socklen_t len = sizeof(int);
	int room[2];
	int ends[2];

	(void)state;
	assert_int_equal(channel_open(ends), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(getsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room[i], &len), 0);
	}
	assert_in_range(room[0], room[1], CHANNEL_ROOM);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

static void test_members_in_range(void **state)
{
	struct channel_message answer = {.kind = CHANNEL_ANSWER, .answer.dir = DIR_EGRESS + 1};
	struct channel_message mute = {.kind = CHANNEL_MUTE, .mute.why = SL_MUTE_MAX};
	struct channel_message closes = {.kind = CHANNEL_CLOSES, .count = CHANNEL_CLOSES_MAX + 1};
	struct channel_message target = {.kind = CHANNEL_TARGET, .target.number = 1};
	struct channel_message nobody = {.kind = CHANNEL_TARGET};
	struct channel_message named = {.kind = CHANNEL_NAMED};
	struct channel_message counting = {.kind = CHANNEL_COUNT, .count = 2};
	struct channel_message calls = {.kind = CHANNEL_CALLS, .count = 1};
	struct channel_message errors = {.kind = CHANNEL_CALL_ERRORS, .count = 1};
	struct channel_message process = {.kind = CHANNEL_PROCESS, .count = UINT32_MAX};
	struct channel_message tls = {.kind = CHANNEL_TLS, .tls.reach = TLS_REACH_MAX};

	struct channel_message sockets = {.kind = CHANNEL_SOCKETS, .count = 1};
	struct channel_message unseen = {.kind = CHANNEL_UNSEEN, .unseen.number = 1};

	(void)state;
	assert_true(channel_is_valid(&unseen, channel_size(CHANNEL_UNSEEN), SIDE_BROKER));
	memset(unseen.unseen.name, 'a', sizeof(unseen.unseen.name));
	assert_false(channel_is_valid(&unseen, channel_size(CHANNEL_UNSEEN), SIDE_BROKER));
	memset(target.target.name, 'a', sizeof(target.target.name));
	memset(named.named.name, 'a', sizeof(named.named.name));
	assert_false(channel_is_valid(&named, channel_size(CHANNEL_NAMED), SIDE_BROKER));
	assert_false(channel_is_valid(&counting, channel_size(CHANNEL_COUNT), SIDE_WORKER));
	calls.calls[0].call = syscall_count - 1;
	assert_true(channel_is_valid(&calls, channel_size(CHANNEL_CALLS), SIDE_BROKER));
	calls.calls[0].call = syscall_count;
	assert_false(channel_is_valid(&calls, channel_size(CHANNEL_CALLS), SIDE_BROKER));
	calls.calls[0].call = 0;
	calls.count = CHANNEL_CALLS_MAX + 1;
	assert_false(channel_is_valid(&calls, channel_size(CHANNEL_CALLS), SIDE_BROKER));
	errors.call_errors[0].call = (uint32_t)syscall_count;
	assert_false(channel_is_valid(&errors, channel_size(CHANNEL_CALL_ERRORS), SIDE_BROKER));
	errors.call_errors[0].call = 0;
	assert_true(channel_is_valid(&errors, channel_size(CHANNEL_CALL_ERRORS), SIDE_BROKER));
	errors.count = CHANNEL_CALL_ERRORS_MAX + 1;
	assert_false(channel_is_valid(&errors, channel_size(CHANNEL_CALL_ERRORS), SIDE_BROKER));
	assert_false(channel_is_valid(&process, channel_size(CHANNEL_PROCESS), SIDE_WORKER));
	assert_false(channel_is_valid(&answer, channel_size(CHANNEL_ANSWER), SIDE_WORKER));
	assert_false(channel_is_valid(&mute, channel_size(CHANNEL_MUTE), SIDE_WORKER));
	mute.mute.why = 0;
	assert_false(channel_is_valid(&mute, channel_size(CHANNEL_MUTE), SIDE_WORKER));
	assert_false(channel_is_valid(&closes, channel_size(CHANNEL_CLOSES), SIDE_BROKER));
	assert_false(channel_is_valid(&target, channel_size(CHANNEL_TARGET), SIDE_BROKER));
	assert_false(channel_is_valid(&sockets, channel_size(CHANNEL_SOCKETS), SIDE_BROKER));
	sockets.sockets[0] =
		(struct channel_socket){.number = 1, .family = 6, .role = SL_ROLE_CLIENT};
	assert_true(channel_is_valid(&sockets, channel_size(CHANNEL_SOCKETS), SIDE_BROKER));
	sockets.sockets[0].family = 5;
	assert_false(channel_is_valid(&sockets, channel_size(CHANNEL_SOCKETS), SIDE_BROKER));
	sockets.sockets[0].family = 4;
	sockets.sockets[0].role = SL_ROLE_UNKNOWN; /* the broker guesses */
	assert_false(channel_is_valid(&sockets, channel_size(CHANNEL_SOCKETS), SIDE_BROKER));
	sockets.count = CHANNEL_SOCKETS_MAX + 1;
	assert_false(channel_is_valid(&sockets, channel_size(CHANNEL_SOCKETS), SIDE_BROKER));
	assert_false(channel_is_valid(&tls, channel_size(CHANNEL_TLS), SIDE_BROKER));
	assert_false(channel_is_valid(&nobody, channel_size(CHANNEL_TARGET), SIDE_BROKER));
}

/* fds: those in the message that is received. */
static void check_descriptors(struct channel_message *sent, int *sent_fds, size_t count,
			      struct channel_message *got, const int *fds)
{
	int ends[2];

	assert_int_equal(channel_open(ends), 0);
	for (size_t i = 0; i < count; i++)
		sent_fds[i] = ends[0];
	assert_int_equal(channel_receive(ends[1], got, SIDE_BROKER), -EAGAIN);
	assert_int_equal(channel_send(ends[0], sent), 0);
	assert_int_equal(channel_receive(ends[1], got, SIDE_BROKER), 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(fds[i] > 2 && fds[i] != ends[0]);
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(close(fds[i]), 0);
	}
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(channel_receive(ends[1], got, SIDE_BROKER), -EPIPE);
	assert_int_equal(close(ends[1]), 0);
}

static void test_descriptors_travel_with_the_rings(void **state)
{
	struct channel_message ring = {.kind = CHANNEL_RING, .ring = {4096, 4096, 7, {0}}};
	struct channel_message secrets = {.kind = CHANNEL_SECRETS};
	struct channel_message got = {0};

	(void)state;
	check_descriptors(&ring, ring.ring.fds, RING_MAPS, &got, got.ring.fds);
	assert_int_equal(got.ring.seal, 7);
	check_descriptors(&secrets, secrets.secret_fds, SECRET_RING_MAPS, &got, got.secret_fds);
}

/* Sends bytes with a descriptor that nobody wants. */
static void send_with_descriptor(int fd, const void *bytes, size_t size, int passed)
{
	struct iovec part = {(void *)bytes, size};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.header), &passed, sizeof(passed));
	assert_int_equal(sendmsg(fd, &packet, 0), size);
}

static int lowest_free_descriptor(void)
{
	int fd = dup(0);

	assert_int_equal(close(fd), 0);
	return fd;
}

static void test_uninvited_descriptors_are_closed(void **state)
{
	const struct channel_message ready = {.kind = CHANNEL_READY};
	struct channel_message got;
	int before;
	int ends[2];

	(void)state;
	assert_int_equal(channel_open(ends), 0);
	before = lowest_free_descriptor();
	send_with_descriptor(ends[0], &ready, channel_size(CHANNEL_READY), ends[0]);
	assert_int_equal(channel_receive(ends[1], &got, SIDE_WORKER), -EBADMSG);
	assert_int_equal(lowest_free_descriptor(), before);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

static void test_packets_that_are_no_messages(void **state)
{
	static char bytes[2 * sizeof(struct channel_message)];
	struct channel_message got;
	int ends[2];

	(void)state;
	assert_int_equal(channel_open(ends), 0);
	for (size_t size = 1; size <= sizeof(bytes); size += 3) {
		assert_int_equal(send(ends[0], bytes, size, 0), size);
		assert_int_equal(channel_receive(ends[1], &got, SIDE_WORKER), -EBADMSG);
	}
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

static void test_who_does_not_read_is_not_waited_for(void **state)
{
	const struct channel_message stop = {.kind = CHANNEL_STOP};
	int ends[2];
	int err = 0;

	(void)state;
	assert_int_equal(channel_open(ends), 0);
	for (int i = 0; i < 1000000 && !err; i++)
		err = channel_send(ends[0], &stop);
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_say_what),
		cmocka_unit_test(test_members_in_range),
		cmocka_unit_test(test_header_list),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_descriptors_travel_with_the_rings),
		cmocka_unit_test(test_uninvited_descriptors_are_closed),
		cmocka_unit_test(test_packets_that_are_no_messages),
		cmocka_unit_test(test_who_does_not_read_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
