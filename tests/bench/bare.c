/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches tests/bench/bare.bpf.c to a cgroup.
 *
 *     bare OBJECT CGROUP-DIRECTORY same|own
 *
 * Copies go to the same place, or each to its own.
 *
 * "ready" on standard output says that it works. SIGTERM ends it; then the number of copies is
 * printed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct bpf_program *p;
	struct bpf_object *o;
	unsigned long numbers[2][8]; /* struct number of the programs, for each direction */
	const __u32 first = 0;
	sigset_t signals;
	__u32 mask;
	int cgroup;
	int number;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: bare OBJECT CGROUP-DIRECTORY same|own\n");
		return 2;
	}
	(void)sigemptyset(&signals); /* as the next: cannot fail */
	(void)sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return fail("sigprocmask");
	cgroup = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		return fail(argv[2]);
	o = bpf_object__open_file(argv[1], NULL);
	if (!o)
		return fail(argv[1]);
	mask = strcmp(argv[3], "own") == 0 ? UINT32_MAX : 0;
	/* All of .rodata is the mask. */
	if (bpf_map__set_initial_value(bpf_object__find_map_by_name(o, ".rodata"), &mask,
				       sizeof(mask)) ||
	    bpf_object__load(o))
		return fail(argv[1]);
	for (p = NULL; (p = bpf_object__next_program(o, p));)
		if (!bpf_program__attach_cgroup(p, cgroup))
			return fail("attach");
	(void)puts("ready");
	(void)fflush(stdout);
	(void)sigwait(&signals, &number);
	/* All of .bss are the numbers. */
	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(o, ".bss"), &first, numbers))
		return fail(".bss");
	(void)printf("%lu\n", numbers[0][0] + numbers[1][0]);
	return EXIT_SUCCESS;
}
