/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/key_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "capture/btf_layout.h"
#include "capture/key_events.h"
#include "capture/uprobe_link.h"
#include "pod/privilege.h"
#include "secrets.skel.h"

struct key_probes {
	struct secrets_bpf *bpf;
	enum key_probes_way way;
	struct key_events events; /* if that is the way */
	struct sl_layout layout;
	struct ring_buffer *processes;
	key_probes_process_fn fn; /* of the key_probes_processes() under way */
	void *ctx;
};

static int find_links(struct key_probes *p)
{
	int support = uprobe_link_support(bpf_program__fd(p->bpf->progs.sl_secret));

	if (support < 0)
		return support;
	p->way = support == UPROBE_LINK_OF_PROCESS ? KEY_PROBES_OF_PROCESSES : KEY_PROBES_OF_ALL;
	return 0;
}

static int on_process(void *ctx, void *data, size_t len)
{
	const struct sl_process *process = data;
	struct key_probes *p = ctx;

	if (len >= sizeof(*process))
		p->fn(p->ctx, (pid_t)process->pid, (pid_t)process->parent);
	return 0;
}

/* Attaches the tracepoints; the uprobe is attached to processes. Returns 0 or negative errno. */
static int attach_tracepoints(struct key_probes *p)
{
	p->bpf->links.sl_process_exec = bpf_program__attach(p->bpf->progs.sl_process_exec);
	p->bpf->links.sl_process_fork = bpf_program__attach(p->bpf->progs.sl_process_fork);
	return p->bpf->links.sl_process_exec && p->bpf->links.sl_process_fork ? 0 : -errno;
}

/* Returns 0 or negative errno. */
static int find_layout(struct sl_layout *ret)
{
	struct btf_wanted w[] = {
		{"task_struct", "pid", 0},
		{"task_struct", "tgid", 0},
		{"task_struct", "thread_pid", 0},
		{"pid", "level", 0},
		{"pid", "numbers", 0},
		{"upid", "nr", 0},
		{"upid", "ns", 0},
		{"upid", NULL, 0},
		{"pid_namespace", "ns", 0},
		{"ns_common", "inum", 0},
	};
	int err = btf_layout_of_kernel(w, sizeof(w) / sizeof(w[0]));

	*ret = (struct sl_layout){
		.task_pid = w[0].bytes,
		.task_tgid = w[1].bytes,
		.task_thread_pid = w[2].bytes,
		.pid_level = w[3].bytes,
		.pid_numbers = w[4].bytes,
		.upid_nr = w[5].bytes,
		.upid_ns = w[6].bytes,
		.upid_size = w[7].bytes,
		.ns_inum = w[8].bytes + w[9].bytes,
	};
	return err;
}

/* Before loading. */
static int configure(struct key_probes *p, bool has_links)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	p->bpf->rodata->layout = p->layout;
	/* The kernel's own dev_t (include/linux/kdev_t.h), which is not that of stat(2). */
	p->bpf->rodata->ns_dev = (uint64_t)major(ns.st_dev) << 20 | minor(ns.st_dev);
	p->bpf->rodata->ns_ino = ns.st_ino;
#ifdef __aarch64__
	p->bpf->rodata->is_arm64 = 1;
#endif
	if (!has_links)
		return bpf_program__set_autoload(p->bpf->progs.sl_secret, false);
	return bpf_program__set_expected_attach_type(p->bpf->progs.sl_secret,
						     (enum bpf_attach_type)UPROBE_LINK_ATTACH_TYPE);
}

static int load(struct key_probes *p, bool has_links)
{
	int err;

	p->bpf = secrets_bpf__open();
	if (!p->bpf)
		return -errno;
	err = configure(p, has_links);
	return err ? err : secrets_bpf__load(p->bpf);
}

/* Where there are no links: perf events, if their capability is there. */
static int load_for_events(struct key_probes *p)
{
	struct key_event_maps maps;
	int err;

	secrets_bpf__destroy(p->bpf);
	p->bpf = NULL;
	if (!privilege_keep_admin(true))
		return -EOPNOTSUPP;
	p->way = KEY_PROBES_BY_EVENTS;
	err = load(p, false);
	if (err)
		return err;
	maps = (struct key_event_maps){
		.secrets = bpf_map__fd(p->bpf->maps.secrets),
		.filled = bpf_map__fd(p->bpf->maps.filled),
		.watched = bpf_map__fd(p->bpf->maps.watched),
		.bss = bpf_map__fd(p->bpf->maps.bss),
		.lost = bpf_map__fd(p->bpf->maps.data_lost),
	};
	return key_events_init(&p->events, &maps);
}

int key_probes_new(struct key_probes **ret_probes)
{
	scoped_privilege int raised = privilege_raise();
	struct key_probes *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->events.turns_fd = -1;
	err = find_layout(&p->layout);
	if (err)
		goto out;
	err = load(p, true);
	if (!err)
		err = find_links(p);
	if (err && err != -EPERM && err != -ENOMEM)
		err = load_for_events(p);
	if (!err) {
		p->processes =
			ring_buffer__new(bpf_map__fd(p->bpf->maps.processes), on_process, p, NULL);
		err = p->processes ? 0 : -errno;
	}
	if (!err)
		err = attach_tracepoints(p);
out:
	if (!err) {
		*ret_probes = p;
		return 0;
	}
	(void)privilege_keep_admin(false);
	key_probes_free(p);
	return err;
}

void key_probes_free(struct key_probes *p)
{
	if (!p)
		return;
	ring_buffer__free(p->processes);
	key_events_release(&p->events);
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
	uint64_t cookie = cookie_of(&site->registers) | (pid ? 0 : SL_COOKIE_SHARED);
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd); /* shorter */
	if (p->way == KEY_PROBES_BY_EVENTS)
		return key_events_attach(&p->events, path, pid, site->offset, cookie);
	return uprobe_link_create(bpf_program__fd(p->bpf->progs.sl_secret), path, pid,
				  &site->offset, &cookie, 1);
}

const char *key_probes_reason(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "the kernel has no uprobe_multi (Linux 6.6), and without it the probes need "
		       "CAP_SYS_ADMIN, which is missing";
	case -ENOENT:
		return "the kernel has no type information (BTF)";
	case -ENODEV:
		return "the kernel has no uprobes";
	default:
		return strerror(-err);
	}
}

enum key_probes_way key_probes_way(const struct key_probes *p)
{
	return p->way;
}

int key_probes_fd(const struct key_probes *p)
{
	return ring_buffer__epoll_fd(p->processes);
}

int key_probes_watch(struct key_probes *p, uint32_t slot, const struct cgroup *cg)
{
	scoped_privilege int raised = privilege_raise();
	uint8_t one = 1;

	int err;

	if (bpf_map_update_elem(bpf_map__fd(p->bpf->maps.watched), &slot, &cg->fd, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(p->bpf->maps.watched_ids), &cg->id, &one, BPF_ANY)) {
		err = -errno;
		key_probes_forget(p, slot, cg->id);
		return err;
	}
	if (p->bpf->bss->counters.watched_end <= slot)
		p->bpf->bss->counters.watched_end = slot + 1;
	return 0;
}

void key_probes_forget(struct key_probes *p, uint32_t slot, uint64_t cgroup_id)
{
	scoped_privilege int raised = privilege_raise();

	/* They may be gone already. */
	(void)bpf_map_delete_elem(bpf_map__fd(p->bpf->maps.watched), &slot);
	(void)bpf_map_delete_elem(bpf_map__fd(p->bpf->maps.watched_ids), &cgroup_id);
}

void key_probes_processes(struct key_probes *p, key_probes_process_fn fn, void *ctx)
{
	p->fn = fn;
	p->ctx = ctx;
	(void)ring_buffer__consume(p->processes); /* on_process() never fails */
}

void key_probes_secret_maps(const struct key_probes *p, int ret_fds[SECRET_RING_MAPS])
{
	ret_fds[SECRET_RING_FILLED] = bpf_map__fd(p->bpf->maps.filled);
	ret_fds[SECRET_RING_SECRETS] = bpf_map__fd(p->bpf->maps.secrets);
	ret_fds[SECRET_RING_LOST] = bpf_map__fd(p->bpf->maps.data_lost);
}
