/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes system calls for tests of `sidelight syscalls`:
 *
 *     calls_driver every            each call that is counted, on sockets and on files, in two
 *                                   threads; calls that fail; calls by every pair of ends
 *     calls_driver threads N COUNT  COUNT bytes through a pair of sockets in each of N threads
 *     calls_driver names TEXT       one byte, under this name of the thread and of the process
 *     calls_driver block MS         a thread that waits so long for a byte, and one that waits for
 *                                   a connection that never comes; until standard input ends
 *     calls_driver 32bit            calls by the entry of 32-bit programs; ends with 77 where the
 *                                   kernel has none
 *     calls_driver time             prints what a getppid() takes, and a pair of a send() and a
 *                                   recv(), in nanoseconds: the least of many short runs
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void need(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static int listen_on(struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ret_address = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	need(fd, "socket");
	need(bind(fd, (struct sockaddr *)ret_address, sizeof(*ret_address)), "bind");
	need(listen(fd, 16), "listen");
	need(getsockname(fd, (struct sockaddr *)ret_address, &length), "getsockname");
	return fd;
}

/* Connects twice, accepts by both calls; returns a connection. */
static void make_connections(int ret_ends[2])
{
	struct sockaddr_in address;
	int listener = listen_on(&address);
	int first = socket(AF_INET, SOCK_STREAM, 0);
	int second = socket(AF_INET, SOCK_STREAM, 0);
	int accepted;

	need(connect(first, (struct sockaddr *)&address, sizeof(address)), "connect");
	need(connect(second, (struct sockaddr *)&address, sizeof(address)), "connect");
	accepted = (int)syscall(SYS_accept, listener, NULL, NULL);
	need(accepted, "accept");
	ret_ends[1] = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
	need(ret_ends[1], "accept4");
	ret_ends[0] = second;
	(void)close(first);
	(void)close(accepted);
	(void)close(listener);
	/* Nobody listens any more. */
	first = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 3; i++)
		if (connect(first, (struct sockaddr *)&address, sizeof(address)) == 0)
			exit(1);
	(void)close(first);
}

/* The same calls whatever fd is; those that it cannot do fail. */
static void read_and_write(int from, int to, size_t size)
{
	static char bytes[5000];
	struct iovec parts[2] = {{bytes, size / 2}, {bytes, size - size / 2}};

	(void)syscall(SYS_write, to, bytes, size);
	(void)syscall(SYS_read, from, bytes, size);
	(void)syscall(SYS_writev, to, parts, 2);
	(void)syscall(SYS_readv, from, parts, 2);
	(void)syscall(SYS_pwrite64, to, bytes, size, 0L);
	(void)syscall(SYS_pread64, from, bytes, size, 0L);
	(void)syscall(SYS_pwritev, to, parts, 2, 0L, 0L);
	(void)syscall(SYS_preadv, from, parts, 2, 0L, 0L);
	/* Position -1: as writev() and readv(). */
	(void)syscall(SYS_pwritev2, to, parts, 2, -1L, -1L, 0);
	(void)syscall(SYS_preadv2, from, parts, 2, -1L, -1L, 0);
}

static void send_and_receive(int from, int to)
{
	char bytes[100] = {0};
	struct iovec part = {bytes, sizeof(bytes)};
	struct mmsghdr many[3] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};

	need(syscall(SYS_sendto, to, bytes, 70, 0, NULL, 0), "sendto");
	need(syscall(SYS_recvfrom, from, bytes, 100, 0, NULL, NULL), "recvfrom");
	need(syscall(SYS_sendmsg, to, &many[0].msg_hdr, 0), "sendmsg");
	need(syscall(SYS_recvmsg, from, &many[0].msg_hdr, 0), "recvmsg");
	need(syscall(SYS_sendmmsg, to, many, 3, 0), "sendmmsg");
	need(syscall(SYS_recvmmsg, from, many, 3, MSG_DONTWAIT, NULL), "recvmmsg");
	for (int i = 0; i < 4; i++)
		(void)syscall(SYS_recvfrom, from, bytes, 100, MSG_DONTWAIT, NULL, NULL);
}

static void splice_all(int file, int from, int to)
{
	char bytes[4000];
	int ends[2];

	need(pipe(ends), "pipe");
	need(lseek(file, 0, SEEK_SET), "lseek");
	need(syscall(SYS_sendfile, to, file, NULL, 3000), "sendfile");
	need(syscall(SYS_splice, from, NULL, ends[1], NULL, 3000, 0), "splice");
	need(syscall(SYS_splice, ends[0], NULL, to, NULL, 3000, 0), "splice");
	need(recv(from, bytes, sizeof(bytes), 0), "recv");
	/* Neither end is a socket. */
	need(lseek(file, 0, SEEK_SET), "lseek");
	need(syscall(SYS_splice, file, NULL, ends[1], NULL, 100, 0), "splice");
	need(syscall(SYS_sendfile, ends[1], file, NULL, 100), "sendfile");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void wait_for_nothing(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	struct __kernel_timespec ms = {.tv_nsec = 1000000};
	struct timeval select_ms = {.tv_usec = 1000};
	int epoll = epoll_create1(0);
	fd_set set;

	need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
#ifdef SYS_epoll_wait
	(void)syscall(SYS_epoll_wait, epoll, &event, 1, 1);
	(void)syscall(SYS_poll, &polled, 1, 1);
	FD_ZERO(&set);
	(void)syscall(SYS_select, 0, &set, NULL, NULL, &select_ms);
#endif
	(void)syscall(SYS_epoll_pwait, epoll, &event, 1, 1, NULL, 0);
	(void)syscall(441 /* epoll_pwait2 */, epoll, &event, 1, &ms, NULL, 0);
	(void)syscall(SYS_ppoll, &polled, 1, &ms, NULL, 0);
	FD_ZERO(&set);
	(void)syscall(SYS_pselect6, 0, &set, NULL, NULL, &ms, NULL);
	(void)syscall(SYS_io_uring_enter, -1, 1, 0, 0, NULL, 0);
	(void)close(epoll);
	(void)select_ms;
}

static void *make_every_call(void *unused)
{
	char name[] = "/tmp/calls_driver-XXXXXX";
	int file = mkstemp(name);
	int packets[2];
	int ends[2];

	need(file, "mkstemp");
	(void)unlink(name);
	make_connections(ends);
	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets), "socketpair");
	read_and_write(ends[0], ends[1], 4096);
	read_and_write(file, file, 4096);
	send_and_receive(packets[0], packets[1]);
	splice_all(file, ends[0], ends[1]);
	wait_for_nothing(packets[0]);
	need(shutdown(ends[0], SHUT_WR), "shutdown");
	(void)shutdown(file, SHUT_WR); /* no socket */
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(packets[0]);
	(void)close(packets[1]);
	(void)close(file);
	(void)close(ends[0]); /* nothing is open there */
	return unused;
}

static int every(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, make_every_call, NULL) || pthread_join(other, NULL))
		return 1;
	(void)make_every_call(NULL);
	return 0;
}

static void *move_bytes(void *count)
{
	int ends[2];
	char byte = 0;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	for (long i = 0; i < *(const long *)count; i++) {
		need(send(ends[0], &byte, 1, 0), "send");
		need(recv(ends[1], &byte, 1, 0), "recv");
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return NULL;
}

static int threads(long number, long count)
{
	pthread_t *all = calloc((size_t)number, sizeof(*all));
	int err = all ? 0 : ENOMEM;

	for (long i = 0; !err && i < number; i++)
		err = pthread_create(&all[i], NULL, move_bytes, &count);
	for (long i = 0; !err && i < number; i++)
		err = pthread_join(all[i], NULL);
	free(all);
	return err != 0;
}

static int names(const char *text)
{
	long one = 1;

	need(prctl(PR_SET_NAME, text), "prctl");
	(void)move_bytes(&one);
	return 0;
}

static void *wait_for_byte(void *fd)
{
	char byte;

	(void)recv(*(const int *)fd, &byte, 1, 0);
	return NULL;
}

static void *wait_for_connection(void *unused)
{
	struct sockaddr_in address;

	(void)accept(listen_on(&address), NULL, NULL);
	return unused;
}

static int block(long ms)
{
	pthread_t waiting;
	pthread_t forever;
	int ends[2];
	char byte = 0;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	if (pthread_create(&waiting, NULL, wait_for_byte, &ends[0]) ||
	    pthread_create(&forever, NULL, wait_for_connection, NULL))
		return 1;
	(void)usleep((useconds_t)(ms * 1000));
	need(write(ends[1], &byte, 1), "write");
	(void)pthread_join(waiting, NULL);
	(void)puts("waited");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &byte, 1);
	return 0;
}

#ifdef __x86_64__
static long call_32bit(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void without_entry(int number)
{
	(void)number;
	_exit(77);
}

/* By a descriptor that is a socket. socketcall() is the way of the C library of old. */
static int of_32bit(void)
{
	int ends[2];

	(void)signal(SIGSEGV, without_entry);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	for (int i = 0; i < 10; i++) {
		(void)call_32bit(102 /* socketcall */, 9 /* SYS_SEND */, 0, 0);
		(void)call_32bit(373 /* shutdown */, ends[0], -1, 0);
		(void)call_32bit(3 /* read; close for 64-bit programs */, ends[0], 0, 0);
	}
	return 0;
}
#else
static int of_32bit(void)
{
	return 77;
}
#endif

static double now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#define RUNS  2000
#define CALLS 200

static int time_calls(void)
{
	double least[2] = {1e18, 1e18};
	char byte = 0;
	int ends[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	for (int run = 0; run < RUNS; run++) {
		double took[3] = {now_ns()};

		for (int i = 0; i < CALLS; i++)
			(void)syscall(SYS_getppid);
		took[1] = now_ns();
		for (int i = 0; i < CALLS; i++) {
			need(send(ends[0], &byte, 1, 0), "send");
			need(recv(ends[1], &byte, 1, 0), "recv");
		}
		took[2] = now_ns();
		for (int k = 0; k < 2; k++)
			if (took[k + 1] - took[k] < least[k])
				least[k] = took[k + 1] - took[k];
	}
	(void)printf("%.1f %.1f\n", least[0] / CALLS, least[1] / CALLS);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "every") == 0)
		return every();
	if (strcmp(what, "threads") == 0 && argc == 4)
		return threads(atol(argv[2]), atol(argv[3]));
	if (strcmp(what, "names") == 0 && argc == 3)
		return names(argv[2]);
	if (strcmp(what, "block") == 0 && argc == 3)
		return block(atol(argv[2]));
	if (strcmp(what, "32bit") == 0)
		return of_32bit();
	if (strcmp(what, "time") == 0)
		return time_calls();
	return 2;
}
