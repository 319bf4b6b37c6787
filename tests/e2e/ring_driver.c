/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs alone: attaches to a cgroup, and prints each record of the
 * ring as it is, so that tests can tell what user space is given.
 *
 *     ring_driver CGROUP-DIRECTORY
 *
 * Lines on standard output:
 *     ready
 *     open ID ROLE EARLY LOCAL-PORT REMOTE-PORT FIRST-SEQ FIRST-SEQ    by enum dir
 *     data ID DIR FLAGS FROM SEQ TO HEX-BYTES    flags of F (frame), A (asks), H (hole), E (end)
 *     mute ID WHY
 *     close ID
 *     counters N...                              in the order of enum sl_counter
 *     shared N                                   maps that another object shares with the programs
 *     taken ID                                   a CLOSE record that is not in the ring
 * Lines on standard input:
 *     answer ID DIR SEQ                          what the kernel asked for
 *     counters                                   after all that has happened until now
 *     share FILE                                 loads another BPF object, and runs its program
 * The end of standard input stops it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/programs.h"
#include "capture/ring.h"

#define RING_BYTES (16u << 20)
#define CONN_CAP   20000

static void print_data(uint64_t id, const struct segment_view *d)
{
	printf("data %" PRIx64 " %d -%s%s%s%s %u %u %u ", id, d->dir, d->is_frame ? "F" : "",
	       d->wants_frame_start ? "A" : "", d->is_ahead ? "H" : "", d->is_fin ? "E" : "",
	       d->from_seq, d->seq, d->to_seq);
	for (size_t i = 0; i < d->data.len; i++)
		printf("%02x", (unsigned char)d->data.ptr[i]);
	putchar('\n');
}

static void on_event(void *ctx, const struct event *ev)
{
	(void)ctx;
	switch (ev->kind) {
	case EVENT_OPEN:
		printf("open %" PRIx64 " %d %d %u %u %u %u\n", ev->id, ev->open.role,
		       ev->open.is_early, ev->open.local.port, ev->open.remote.port,
		       ev->open.first_seq[DIR_INGRESS], ev->open.first_seq[DIR_EGRESS]);
		break;
	case EVENT_DATA:
		print_data(ev->id, &ev->data);
		break;
	case EVENT_MUTE:
		printf("mute %" PRIx64 " %u\n", ev->id, ev->mute);
		break;
	case EVENT_CLOSE:
		printf("close %" PRIx64 "\n", ev->id);
		break;
	case EVENT_READ: /* no system calls are counted */
		break;
	}
}

static int drain(struct source *ring)
{
	int n;
	int sum = 0;

	while ((n = source_drain(ring, on_event, NULL)) > 0)
		sum += n;
	(void)fflush(stdout); /* nobody to tell */
	return n < 0 ? n : sum;
}

/* Twice, so that it is seen which of its maps keep their values. */
static bool run_program(struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__next_program(object, NULL);
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	for (int i = 0; i < 2; i++)
		if (!program || bpf_prog_test_run_opts(bpf_program__fd(program), &opts) ||
		    opts.retval)
			return false;
	return true;
}

static bool share(struct programs *programs, const char *file)
{
	struct bpf_object *object = bpf_object__open(file);
	struct sl_close closes[4];
	int shared = object ? programs_share_maps(programs, object) : -1;
	bool has_run = shared >= 0 && !bpf_object__load(object) && run_program(object);
	int taken;

	bpf_object__close(object);
	taken = has_run ? programs_take_closes(programs, closes, 4) : -1;
	if (taken < 0)
		return false;
	printf("shared %d\n", shared);
	for (int i = 0; i < taken; i++)
		printf("taken %" PRIx64 "\n", (uint64_t)closes[i].h.id);
	(void)fflush(stdout); /* nobody to tell */
	return true;
}

/* False at the end of the input. */
static bool take_line(struct programs *programs, struct source *ring, uint64_t cgroup_id)
{
	uint64_t counters[SL_C_MAX];
	char line[512];
	uint64_t id;
	unsigned seq;
	int dir;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "answer %" SCNx64 " %d %u", &id, &dir, &seq) == 3 && dir >= 0 &&
	    dir <= DIR_EGRESS)
		return source_answer(ring, id, (enum dir)dir, seq) == 0;
	if (strncmp(line, "share ", 6) == 0) {
		line[strcspn(line, "\n")] = '\0';
		return share(programs, line + 6);
	}
	if (strncmp(line, "counters", 8) != 0 || drain(ring) < 0 ||
	    programs_counters(programs, cgroup_id, counters))
		return false;
	printf("counters");
	for (int i = 0; i < SL_C_MAX; i++)
		printf(" %" PRIu64, counters[i]);
	putchar('\n');
	(void)fflush(stdout); /* nobody to tell */
	return true;
}

static int fetch(void *programs, struct sl_close *ret_closes, int max)
{
	return programs_take_closes(programs, ret_closes, max);
}

static int answer(void *programs, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	return programs_answer(programs, conn_id, dir, seq);
}

static const struct ring_owner_ops owner = {.fetch_closes = fetch, .answer = answer};

int main(int argc, char **argv)
{
	struct programs *programs = programs_new(RING_BYTES, CONN_CAP);
	struct source *ring =
		programs ? ring_open(programs_ring(programs), &owner, programs) : NULL;
	struct pollfd fds[2] = {{.fd = 0, .events = POLLIN}, {.events = POLLIN}};
	int cgroup = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct stat st;

	if (!ring || cgroup < 0 || fstat(cgroup, &st) ||
	    programs_attach(programs, cgroup, (uint64_t)st.st_ino, 1)) {
		(void)fprintf(stderr, "ring_driver: cannot attach to %s (%s)\n",
			      argc == 2 ? argv[1] : "nothing", strerror(errno));
		return 2;
	}
	(void)setvbuf(stdin, NULL, _IONBF, 0); /* poll() sees what is there */
	printf("ready\n");
	fds[1].fd = source_fd(ring);
	for (;;) {
		if (drain(ring) < 0)
			return 1;
		if (!source_sleep(ring))
			continue;
		if (poll(fds, 2, -1) < 0)
			return 1;
		if (fds[1].revents)
			source_woken(ring);
		if (fds[0].revents && !take_line(programs, ring, (uint64_t)st.st_ino))
			break;
	}
	source_free(ring);
	programs_free(programs);
	(void)close(cgroup); /* only read */
	return 0;
}
