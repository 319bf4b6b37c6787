/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that was taken over: it enters the sandbox as `sidelight run` does,
 * and then does what an attacker would.
 *
 *     takeover_driver CGROUP-DIRECTORY ATTEMPT PID
 *
 * PID is another process. Prints "refused: WHY" and ends in good order when the
 * attempt is refused, "done" when it is not; some attempts end the process.
 * The broker around it is the product's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/link.h"
#include "pod/sandbox.h"

static struct link attacker;
static const char *attempt;
static pid_t victim;

static long load_program(void)
{
	const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
					 {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = 2,
			       .license = (uintptr_t) "GPL"};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static long open_perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

	return syscall(SYS_perf_event_open, &attr, victim, -1, -1, 0);
}

static long read_memory(void)
{
	char byte;
	struct iovec ours = {&byte, 1};
	struct iovec theirs = {(void *)&attacker, 1};

	return process_vm_readv(victim, &ours, 1, &theirs, 1, 0);
}

static long open_of(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY);
}

static long execute(void)
{
	static char program[] = "/bin/true";
	char *const argv[] = {program, NULL};

	return execv(program, argv);
}

static long make_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long map_executable(void)
{
	return mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
											     : 0;
}

/* Nothing: what matters is what the broker does with it. */
static long send_bytes(const void *bytes, size_t size)
{
	return send(attacker.channel, bytes, size, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static long send_nonsense(void)
{
	return send_bytes("nonsense", 8);
}

static long speak_for_the_broker(void)
{
	const struct channel_message m = {.kind = CHANNEL_STOP};

	return send_bytes(&m, channel_size(m.kind));
}

/* Asks for more than it reads. */
static long be_deaf(void)
{
	const struct channel_message m = {.kind = CHANNEL_REFRESH};

	link_ready(&attacker);
	for (int i = 0; i < 1000000; i++)
		if (send_bytes(&m, channel_size(m.kind)))
			return -1;
	return 0;
}

/* All that the channel allows, many times over. */
static long be_busy(void)
{
	for (uint32_t i = 0; i < 20000; i++)
		(void)link_answer(&attacker, i, DIR_EGRESS, i);
	for (int i = 0; i < 100; i++) {
		link_ready(&attacker);
		link_refresh(&attacker);
		link_detach(&attacker);
	}
	errno = EPERM;
	return -1; /* nothing was gained */
}

static long signal_by_descriptor(void);

/* Closes the channel and lives on. */
static long let_go(void)
{
	link_close(&attacker);
	while (sched_yield() == 0)
		;
	return -1;
}

static long try_it(void)
{
	const struct {
		const char *name;
		long (*fn)(void);
	} attempts[] = {
		{"load", load_program},
		{"perf", open_perf},
		{"read-memory", read_memory},
		{"exec", execute},
		{"make-executable", make_executable},
		{"map-executable", map_executable},
		{"nonsense", send_nonsense},
		{"broker-word", speak_for_the_broker},
		{"deaf", be_deaf},
		{"busy", be_busy},
		{"descriptor-signal", signal_by_descriptor},
		{"let-go", let_go},
	};

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(attempt, attempts[i].name) == 0)
			return attempts[i].fn();
	if (strcmp(attempt, "memory-of-broker") == 0)
		return open_of(getppid(), "mem");
	if (strncmp(attempt, "proc-", 5) == 0)
		return open_of(victim, attempt + 5);
	if (strncmp(attempt, "read-", 5) == 0)
		return open(attempt + 5, O_RDONLY);
	if (strncmp(attempt, "write-", 6) == 0)
		return open(attempt + 6, O_WRONLY | O_CREAT, 0600);
	if (strcmp(attempt, "trace") == 0)
		return ptrace(PTRACE_SEIZE, victim, 0, 0);
	if (strcmp(attempt, "kill") == 0)
		return kill(victim, SIGKILL);
	if (strcmp(attempt, "kill-broker") == 0)
		return kill(getppid(), SIGKILL);
	if (strcmp(attempt, "fork") == 0)
		return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (strcmp(attempt, "unshare") == 0)
		return unshare(CLONE_NEWUSER);
	if (strcmp(attempt, "mount") == 0)
		return mount("none", "/mnt", "tmpfs", 0, NULL);
	if (strcmp(attempt, "uring") == 0)
		return syscall(SYS_io_uring_setup, 8, calloc(1, 4096));
	if (strcmp(attempt, "unix") == 0)
		return socket(AF_UNIX, SOCK_STREAM, 0);
	if (strcmp(attempt, "packet") == 0)
		return socket(AF_PACKET, SOCK_RAW, 0);
	if (strcmp(attempt, "raw") == 0)
		return socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
	if (strcmp(attempt, "dumpable") == 0)
		return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)fprintf(stderr, "takeover_driver: %s: no such attempt\n", attempt);
	exit(3);
}

/* Has the kernel send a signal in our name, when something is read (fcntl(2)). */
static long signal_by_descriptor(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || fcntl(ends[0], F_SETSIG, SIGKILL) ||
	    fcntl(ends[0], F_SETOWN, victim) || fcntl(ends[0], F_SETFL, O_ASYNC))
		return -1;
	return write(ends[1], "x", 1);
}

static void on_target(void *ctx, uint64_t number, const char *name)
{
	(void)ctx;
	(void)number;
	(void)name;
}

static void on_counters(void *ctx, uint64_t number, const char *name, const uint64_t *counters)
{
	(void)counters;
	on_target(ctx, number, name);
}

static void on_usage(void *ctx, const struct usage *used)
{
	(void)ctx;
	(void)used;
}

static void on_watched(void *ctx, unsigned count)
{
	(void)ctx;
	(void)count;
}

static void on_unseen(void *ctx, const char *name, const uint32_t *now, const uint32_t *added)
{
	(void)now;
	(void)added;
	on_target(ctx, 0, name);
}

static void on_looks(void *ctx, uint64_t count, uint64_t cut)
{
	(void)count;
	(void)cut;
	on_target(ctx, 0, NULL);
}

static void on_lists_lost(void *ctx, uint64_t count)
{
	(void)count;
	on_target(ctx, 0, NULL);
}

static const struct link_ops ops = {.target = on_target,
				    .lists_lost = on_lists_lost,
				    .counters = on_counters,
				    .watched = on_watched,
				    .unseen = on_unseen,
				    .looks = on_looks,
				    .usage = on_usage};

static int work(void *ctx, int channel)
{
	/* A file that it may read, whose directory is all there is: the image has --push-ca there.
	 */
	static const char *const given = "/ca.pem";
	struct ring_layout ring;

	(void)ctx;
	link_init(&attacker, channel, &ops, NULL);
	if (link_wait_started(&attacker, &ring) || sandbox_enter(&given, 1))
		return 2;
	if (try_it() < 0)
		printf("refused: %s\n", strerror(errno));
	else
		printf("done\n");
	(void)fflush(stdout); /* nobody to tell */
	link_close(&attacker);
	return 0;
}

int main(int argc, char **argv)
{
	struct broker_options o = {.cgroup = argc > 1 ? argv[1] : NULL, .ring_bytes = 1u << 20};

	if (argc != 4)
		return 3;
	attempt = argv[2];
	victim = atoi(argv[3]);
	return broker_run(&o, work, NULL);
}
