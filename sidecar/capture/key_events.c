/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/key_events.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/event.h"
#include "pod/privilege.h"
#include "secret_event.skel.h"

#define TYPE_FILE "/sys/bus/event_source/devices/uprobe/type"

int key_events_init(struct key_events *e, const struct key_event_maps *maps)
{
	FILE *file = fopen(TYPE_FILE, "re");
	int n;

	*e = (struct key_events){.maps = *maps, .turns_fd = -1};
	if (!file)
		return -ENODEV;
	n = fscanf(file, "%u", &e->type);
	(void)fclose(file); /* it was read */
	return n == 1 ? 0 : -ENODEV;
}

static size_t program_count(const struct key_events *e)
{
	return e->loaded < KEY_EVENTS_PROGRAMS ? e->loaded : KEY_EVENTS_PROGRAMS;
}

void key_events_release(struct key_events *e)
{
	for (size_t i = 0; i < program_count(e); i++)
		(void)close(e->programs[i].fd); /* events keep theirs */
	e->loaded = 0;
	if (e->turns_fd >= 0)
		(void)close(e->turns_fd); /* a map */
	e->turns_fd = -1;
}

static int use_maps(const struct key_events *e, const struct secret_event_bpf *bpf)
{
	int err = bpf_map__reuse_fd(bpf->maps.secrets, e->maps.secrets);

	if (!err)
		err = bpf_map__reuse_fd(bpf->maps.filled, e->maps.filled);
	if (!err)
		err = bpf_map__reuse_fd(bpf->maps.watched, e->maps.watched);
	if (!err)
		err = bpf_map__reuse_fd(bpf->maps.bss, e->maps.bss);
	if (!err)
		err = bpf_map__reuse_fd(bpf->maps.data_lost, e->maps.lost);
	if (!err && e->turns_fd >= 0)
		err = bpf_map__reuse_fd(bpf->maps.turns, e->turns_fd);
	return err;
}

/* All elements have their turn. Returns 0 or negative errno. */
static int fill_turns(int fd)
{
	for (uint32_t i = 0; i < SL_SECRETS; i++)
		if (bpf_map_update_elem(fd, NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

/* Of the first object: the others use it. Returns 0 or negative errno. */
static int keep_turns(struct key_events *e, const struct secret_event_bpf *bpf)
{
	int err;

	if (e->turns_fd >= 0)
		return 0;
	err = fill_turns(bpf_map__fd(bpf->maps.turns));
	if (err)
		return err;
	e->turns_fd = fcntl(bpf_map__fd(bpf->maps.turns), F_DUPFD_CLOEXEC, 0);
	return e->turns_fd < 0 ? -errno : 0;
}

/* Instead of the oldest if there are many; events keep the program that they have. */
static int keep_program(struct key_events *e, const struct secret_event_bpf *bpf, uint64_t cookie)
{
	struct key_event_program *program = &e->programs[e->loaded % KEY_EVENTS_PROGRAMS];
	int fd = fcntl(bpf_program__fd(bpf->progs.sl_secret_event), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (e->loaded >= KEY_EVENTS_PROGRAMS)
		(void)close(program->fd); /* a program */
	*program = (struct key_event_program){cookie, fd};
	e->loaded++;
	return fd;
}

/* Returns the program's descriptor, which is e's, or negative errno. */
static int load(struct key_events *e, uint64_t cookie)
{
	struct secret_event_bpf *bpf = secret_event_bpf__open();
	int err;

	if (!bpf)
		return -errno;
	bpf->rodata->cookie = cookie;
#ifdef __aarch64__
	bpf->rodata->is_arm64 = 1;
#endif
	err = use_maps(e, bpf);
	if (!err)
		err = secret_event_bpf__load(bpf);
	if (!err)
		err = keep_turns(e, bpf);
	if (!err)
		err = keep_program(e, bpf, cookie);
	secret_event_bpf__destroy(bpf);
	return err;
}

/* Likewise. */
static int program_for(struct key_events *e, uint64_t cookie)
{
	for (size_t i = 0; i < program_count(e); i++)
		if (e->programs[i].cookie == cookie)
			return e->programs[i].fd;
	return load(e, cookie);
}

int key_events_attach(struct key_events *e, const char *path, pid_t pid, uint64_t offset,
		      uint64_t cookie)
{
	struct perf_event_attr attr = {
		.type = e->type,
		.size = sizeof(attr),
		.config1 = (uint64_t)(uintptr_t)path,
		.config2 = offset,
	};
	int program = program_for(e, cookie);
	int err;
	int fd;

	if (program < 0)
		return program;
	/* Of a process, for the memory that all its threads share; else of one CPU, which any is
	 * good for: the program runs wherever the probe is hit (trace_call_bpf()). */
	privilege_force_admin(true);
	fd = (int)syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1,
			  PERF_FLAG_FD_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	privilege_force_admin(false);
	if (err)
		return err;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) == 0 &&
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0)
		return fd;
	err = -errno;
	(void)close(fd); /* nothing was written */
	return err;
}
