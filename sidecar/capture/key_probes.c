/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/key_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pod/privilege.h"
#include "secrets.skel.h"

/* enum bpf_attach_type: younger than libbpf 1.1 and its headers (6.6). */
#define UPROBE_MULTI 48

/* The members of union bpf_attr for BPF_LINK_CREATE with BPF_TRACE_UPROBE_MULTI. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

struct key_probes {
	struct secrets_bpf *bpf;
	struct ring_buffer *ring; /* of secrets, */
	struct ring_buffer *processes; /* and of processes */
	int epoll_fd; /* for both; -1: not open */
	key_probes_process_fn fn; /* of the key_probes_processes() under way */
	void *ctx;
	struct sl_secret *taken; /* of the key_probes_take() under way */
	size_t max;
	size_t count;
};

static int create_link(const struct key_probes *p, const char *path, pid_t pid, uint64_t offset,
		       uint64_t cookie)
{
	struct multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(p->bpf->progs.sl_secret),
		.attach_type = UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)path,
		.offsets = (uint64_t)(uintptr_t)&offset,
		.cookies = (uint64_t)(uintptr_t)&cookie,
		.count = 1,
		.pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/* "/" is no file, which only a kernel notices that has such links. One that keeps them to a whole
 * process refuses a negative pid before that. */
static bool has_sound_links(const struct key_probes *p)
{
	return create_link(p, "/", 0, 0, 0) == -EBADF && create_link(p, "/", -1, 0, 0) == -EINVAL;
}

static int on_filled(void *ctx, void *data, size_t len)
{
	static const struct sl_secret empty;
	struct key_probes *p = ctx;
	int fd = bpf_map__fd(p->bpf->maps.secrets);
	uint32_t index;

	if (len < sizeof(index))
		return 0;
	memcpy(&index, data, sizeof(index));
	if (bpf_map_lookup_elem(fd, &index, &p->taken[p->count]) == 0) {
		(void)bpf_map_update_elem(fd, &index, &empty, BPF_ANY); /* it exists */
		p->count++;
	}
	return p->count == p->max ? -ENOSPC : 0; /* ends ring_buffer__consume() */
}

static int on_process(void *ctx, void *data, size_t len)
{
	const struct sl_process *process = data;
	struct key_probes *p = ctx;

	if (len >= sizeof(*process))
		p->fn(p->ctx, (pid_t)process->pid, (pid_t)process->parent);
	return 0;
}

/* Returns 0 or negative errno. */
static int open_rings(struct key_probes *p)
{
	struct epoll_event event = {.events = EPOLLIN};

	p->ring = ring_buffer__new(bpf_map__fd(p->bpf->maps.filled), on_filled, p, NULL);
	p->processes = ring_buffer__new(bpf_map__fd(p->bpf->maps.processes), on_process, p, NULL);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!p->ring || !p->processes || p->epoll_fd < 0 ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(p->ring), &event) ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(p->processes), &event))
		return -errno;
	return 0;
}

/* Attaches the tracepoints; the uprobe is attached to processes. Returns 0 or negative errno. */
static int attach_tracepoints(struct key_probes *p)
{
	p->bpf->links.sl_process_exec = bpf_program__attach(p->bpf->progs.sl_process_exec);
	p->bpf->links.sl_process_fork = bpf_program__attach(p->bpf->progs.sl_process_fork);
	return p->bpf->links.sl_process_exec && p->bpf->links.sl_process_fork ? 0 : -errno;
}

/* Before loading. */
static int configure(struct key_probes *p)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	/* The kernel's own dev_t (include/linux/kdev_t.h), which is not that of stat(2). */
	p->bpf->rodata->ns_dev = (uint64_t)major(ns.st_dev) << 20 | minor(ns.st_dev);
	p->bpf->rodata->ns_ino = ns.st_ino;
#ifdef __aarch64__
	p->bpf->rodata->is_arm64 = 1;
#endif
	return bpf_program__set_expected_attach_type(p->bpf->progs.sl_secret,
						     (enum bpf_attach_type)UPROBE_MULTI);
}

int key_probes_new(struct key_probes **ret_probes)
{
	scoped_privilege int raised = privilege_raise();
	struct key_probes *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->epoll_fd = -1;
	p->bpf = secrets_bpf__open();
	if (!p->bpf) {
		err = -errno;
		goto fail;
	}
	err = configure(p);
	if (!err)
		err = secrets_bpf__load(p->bpf);
	if (err || !has_sound_links(p)) {
		err = err == -EPERM || err == -ENOMEM ? err : -EOPNOTSUPP;
		goto fail;
	}
	err = open_rings(p);
	if (!err)
		err = attach_tracepoints(p);
	if (err)
		goto fail;
	*ret_probes = p;
	return 0;
fail:
	key_probes_free(p);
	return err;
}

void key_probes_free(struct key_probes *p)
{
	if (!p)
		return;
	if (p->epoll_fd >= 0)
		(void)close(p->epoll_fd); /* nothing is buffered behind it */
	ring_buffer__free(p->ring);
	ring_buffer__free(p->processes);
	secrets_bpf__destroy(p->bpf);
	free(p);
}

static uint64_t cookie_of(const struct key_log_registers *r)
{
	static const struct {
		enum key_log_argument argument;
		unsigned shift;
		uint64_t flag;
	} parts[] = {
		{KEY_LOG_LABEL, SL_COOKIE_LABEL, 0},
		{KEY_LOG_SECRET, SL_COOKIE_SECRET, 0},
		{KEY_LOG_LENGTH, SL_COOKIE_LENGTH, 0},
		{KEY_LOG_SESSION, SL_COOKIE_SESSION, SL_COOKIE_HAS_SESSION},
		{KEY_LOG_RANDOM, SL_COOKIE_RANDOM, SL_COOKIE_HAS_RANDOM},
	};
	uint64_t cookie = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (r->in[parts[i].argument] != KEY_LOG_NOWHERE)
			cookie |= (uint64_t)r->in[parts[i].argument] << parts[i].shift |
				  parts[i].flag;
	return cookie;
}

int key_probes_attach(struct key_probes *p, int file_fd, pid_t pid, const struct key_log_site *site)
{
	scoped_privilege int raised = privilege_raise();
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd); /* shorter */
	return create_link(p, path, pid, site->offset,
			   cookie_of(&site->registers) | (pid ? 0 : SL_COOKIE_SHARED));
}

int key_probes_fd(const struct key_probes *p)
{
	return p->epoll_fd;
}

int key_probes_watch(struct key_probes *p, uint64_t cgroup_id)
{
	scoped_privilege int raised = privilege_raise();
	uint8_t one = 1;

	return bpf_map_update_elem(bpf_map__fd(p->bpf->maps.watched), &cgroup_id, &one, BPF_ANY)
		       ? -errno
		       : 0;
}

void key_probes_forget(struct key_probes *p, uint64_t cgroup_id)
{
	scoped_privilege int raised = privilege_raise();

	/* It may be gone already. */
	(void)bpf_map_delete_elem(bpf_map__fd(p->bpf->maps.watched), &cgroup_id);
}

void key_probes_processes(struct key_probes *p, key_probes_process_fn fn, void *ctx)
{
	p->fn = fn;
	p->ctx = ctx;
	(void)ring_buffer__consume(p->processes); /* on_process() never fails */
}

size_t key_probes_take(struct key_probes *p, struct sl_secret *ret_secrets, size_t max)
{
	scoped_privilege int raised = privilege_raise();

	p->taken = ret_secrets;
	p->max = max;
	p->count = 0;
	(void)ring_buffer__consume(p->ring); /* what it returns is in p->count */
	return p->count;
}

uint64_t key_probes_lost(const struct key_probes *p)
{
	return p->bpf->bss->lost_full + p->bpf->bss->lost_memory;
}
