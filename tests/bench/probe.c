/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches a program that does nothing to where sidelight probes a TLS library in a process: what
 * the hits of the probe cost, whatever is done with them.
 *
 *     probe OBJECT LIBRARY PID
 *
 * "ready" on standard output says that it works. SIGTERM ends it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/uprobe_link.h"
#include "elf/key_log.h"

static int fail(const char *what, int err)
{
	(void)fprintf(stderr, "probe: %s: %s\n", what, strerror(-err));
	return EXIT_FAILURE;
}

/* Returns the program's descriptor, or negative errno. */
static int load(const char *object)
{
	struct bpf_object *o = bpf_object__open_file(object, NULL);
	struct bpf_program *p;

	if (!o)
		return -errno;
	p = bpf_object__next_program(o, NULL);
	if (!p ||
	    bpf_program__set_expected_attach_type(p, (enum bpf_attach_type)UPROBE_LINK_ATTACH_TYPE))
		return -EINVAL;
	return bpf_object__load(o) ? -errno : bpf_program__fd(p);
}

int main(int argc, char **argv)
{
	const uint64_t cookie = 0;
	struct key_log_site site;
	sigset_t signals;
	int program;
	int number;
	int err;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: probe OBJECT LIBRARY PID\n");
		return 2;
	}
	(void)sigemptyset(&signals); /* as the next: cannot fail */
	(void)sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return fail("sigprocmask", -errno);
	err = key_log_find(open(argv[2], O_RDONLY | O_CLOEXEC), &site);
	if (err)
		return fail(argv[2], err);
	program = load(argv[1]);
	if (program < 0)
		return fail(argv[1], program);
	err = uprobe_link_create(program, argv[2], (pid_t)strtol(argv[3], NULL, 10), &site.offset,
				 &cookie, 1);
	if (err < 0)
		return fail("attach", err);
	(void)puts("ready");
	(void)fflush(stdout);
	return sigwait(&signals, &number) ? EXIT_FAILURE : EXIT_SUCCESS;
}
