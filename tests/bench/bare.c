/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches tests/bench/bare.bpf.c to a cgroup and throws away what it copies, as
 * often as sidelight looks into its ring.
 *
 *     bare OBJECT CGROUP-DIRECTORY
 *
 * "ready" on standard output says that it works. SIGTERM ends it; then the number of records is
 * printed.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "reader.h"

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static int on_record(void *ctx, void *record, size_t size)
{
	const volatile char *bytes = record;

	/* Each line of the cache is fetched, as by who reads it all. */
	for (size_t i = 0; i < size; i += 64)
		(void)bytes[i];
	++*(unsigned long *)ctx;
	return 0;
}

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const struct timespec period = {.tv_nsec = READER_PERIOD_MS * 1000000L};
	unsigned long records = 0;
	struct ring_buffer *ring;
	struct bpf_program *p;
	struct bpf_object *o;
	int cgroup;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: bare OBJECT CGROUP-DIRECTORY\n");
		return 2;
	}
	(void)signal(SIGTERM, on_signal);
	cgroup = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		return fail(argv[2]);
	o = bpf_object__open_file(argv[1], NULL);
	if (!o || bpf_object__load(o))
		return fail(argv[1]);
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(o, "ring"), on_record, &records,
				NULL);
	if (!ring)
		return fail("ring");
	for (p = NULL; (p = bpf_object__next_program(o, p));)
		if (!bpf_program__attach_cgroup(p, cgroup))
			return fail("attach");
	(void)puts("ready");
	(void)fflush(stdout);
	while (!is_over) {
		(void)nanosleep(&period, NULL); /* a signal ends it, too */
		(void)ring_buffer__consume(ring);
	}
	(void)printf("%lu\n", records);
	return EXIT_SUCCESS;
}
