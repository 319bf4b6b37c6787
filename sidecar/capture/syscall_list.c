/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/syscall_list.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define ON_SOCKET      SL_CALL_ON_FIRST
#define MOVES_BYTES    (SL_CALL_ON_FIRST | SL_CALL_BYTES)
#define MOVES_MESSAGES (SL_CALL_ON_FIRST | SL_CALL_MESSAGES)
#define READS_BYTES    (MOVES_BYTES | SL_CALL_READS)
#define READS_MESSAGES (MOVES_MESSAGES | SL_CALL_READS)
#define SPLICES	       (SL_CALL_READS | SL_CALL_ON_FIRST | SL_CALL_ON_THIRD | SL_CALL_BYTES)

/* Calls that newer architectures lack are in #ifdef; numbers are shared from 424 on. */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static const struct {
	const char *name;
	int number;
	uint16_t flags;
	enum syscall_kind kind;
} calls[] = {
	{"accept", SYS_accept, ON_SOCKET, SYSCALL_NETWORK},
	{"accept4", SYS_accept4, ON_SOCKET, SYSCALL_NETWORK},
	{"connect", SYS_connect, ON_SOCKET, SYSCALL_NETWORK},
	{"read", SYS_read, READS_BYTES, SYSCALL_NETWORK},
	{"readv", SYS_readv, READS_BYTES, SYSCALL_NETWORK},
	{"pread64", SYS_pread64, MOVES_BYTES, SYSCALL_NETWORK},
	{"preadv", SYS_preadv, MOVES_BYTES, SYSCALL_NETWORK},
	{"preadv2", SYS_preadv2, READS_BYTES, SYSCALL_NETWORK},
	{"write", SYS_write, MOVES_BYTES, SYSCALL_NETWORK},
	{"writev", SYS_writev, MOVES_BYTES, SYSCALL_NETWORK},
	{"pwrite64", SYS_pwrite64, MOVES_BYTES, SYSCALL_NETWORK},
	{"pwritev", SYS_pwritev, MOVES_BYTES, SYSCALL_NETWORK},
	{"pwritev2", SYS_pwritev2, MOVES_BYTES, SYSCALL_NETWORK},
	{"recvfrom", SYS_recvfrom, READS_BYTES, SYSCALL_NETWORK},
	{"recvmsg", SYS_recvmsg, READS_BYTES, SYSCALL_NETWORK},
	{"recvmmsg", SYS_recvmmsg, READS_MESSAGES, SYSCALL_NETWORK},
	{"sendto", SYS_sendto, MOVES_BYTES, SYSCALL_NETWORK},
	{"sendmsg", SYS_sendmsg, MOVES_BYTES, SYSCALL_NETWORK},
	{"sendmmsg", SYS_sendmmsg, MOVES_MESSAGES, SYSCALL_NETWORK},
	{"sendfile", SYS_sendfile, MOVES_BYTES, SYSCALL_NETWORK},
	{"splice", SYS_splice, SPLICES, SYSCALL_NETWORK},
	{"shutdown", SYS_shutdown, ON_SOCKET, SYSCALL_NETWORK},
	{"close", SYS_close, ON_SOCKET, SYSCALL_NETWORK},
#ifdef SYS_epoll_wait
	{"epoll_wait", SYS_epoll_wait, 0, SYSCALL_WAIT},
#endif
	{"epoll_pwait", SYS_epoll_pwait, 0, SYSCALL_WAIT},
	{"epoll_pwait2", SYS_epoll_pwait2, 0, SYSCALL_WAIT},
#ifdef SYS_poll
	{"poll", SYS_poll, 0, SYSCALL_WAIT},
#endif
	{"ppoll", SYS_ppoll, 0, SYSCALL_WAIT},
#ifdef SYS_select
	{"select", SYS_select, 0, SYSCALL_WAIT},
#endif
	{"pselect6", SYS_pselect6, 0, SYSCALL_WAIT},
	{"io_uring_enter", SYS_io_uring_enter, 0, SYSCALL_IO_URING},
};

const size_t syscall_count = sizeof(calls) / sizeof(calls[0]);
_Static_assert(sizeof(calls) / sizeof(calls[0]) <= SL_CALLS_MAX, "rows of `overflow`");
_Static_assert(SL_CALLS_MAX < SL_CALL_POSITION, "a position has room in its bits");

/*
 * Network calls of 32-bit programs whose numbers no 64-bit call of the list has, and which 64-bit
 * programs call seldom or never: socketcall (102) and socket to shutdown (359 to 373) of i386;
 * socket to recvmsg (281 to 297) of arm.
 */
static const struct {
	int first;
	int last;
} of_32bit[] = {
#ifdef __x86_64__
	{102, 102},
	{359, 373},
#endif
#ifdef __aarch64__
	{281, 297},
#endif
};

const char *syscall_name(uint32_t call)
{
	return calls[call].name;
}

enum syscall_kind syscall_kind(uint32_t call)
{
	return calls[call].kind;
}

bool syscall_has_bytes(uint32_t call)
{
	return calls[call].flags & (SL_CALL_BYTES | SL_CALL_MESSAGES);
}

void syscall_numbers(uint16_t ret_numbers[SL_CALL_NUMBERS], bool with_exec)
{
	memset(ret_numbers, 0, SL_CALL_NUMBERS * sizeof(*ret_numbers));
	for (size_t i = 0; i < sizeof(of_32bit) / sizeof(of_32bit[0]); i++)
		for (int n = of_32bit[i].first; n <= of_32bit[i].last; n++)
			ret_numbers[n] = SL_CALL_32BIT;
	for (size_t i = 0; i < syscall_count; i++)
		ret_numbers[calls[i].number] = (uint16_t)((i + 1) | calls[i].flags);
	if (with_exec)
		ret_numbers[SYS_execve] = ret_numbers[SYS_execveat] = SL_CALL_EXEC;
}

const char *syscall_error_name(uint32_t error, char buf[SYSCALL_ERROR_SIZE])
{
	/* include/linux/errno.h */
	static const char *const interrupted[] = {"ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND",
						  NULL, "ERESTART_RESTARTBLOCK"};
	const char *name = error < 512 ? strerrorname_np((int)error) : NULL;

	if (error == 0)
		return "OTHER";
	if (error >= 512 && error - 512 < sizeof(interrupted) / sizeof(interrupted[0]))
		name = interrupted[error - 512];
	if (name)
		return name;
	(void)snprintf(buf, SYSCALL_ERROR_SIZE, "%u", error); /* ten digits */
	return buf;
}
