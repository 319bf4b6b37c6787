/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/execs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "pod/pid_namespace.h"
#include "pod/privilege.h"
#include "bpf/event.h"
#include "exec.skel.h"

struct execs {
	struct exec_bpf *bpf;
	struct ring_buffer *ring;
	uint32_t lost;
	exec_fn fn; /* arguments of the current execs_read() */
	void *ctx;
};

static int on_record(void *ctx, void *data, size_t len)
{
	const struct sl_exec *rec = data;
	struct execs *e = ctx;

	if (len >= sizeof(*rec))
		e->fn(e->ctx, (pid_t)rec->pid, rec->cgroup, rec->time_ns);
	return 0;
}

int execs_new(struct execs **ret_execs)
{
	scoped_privilege int raised = privilege_raise();
	struct execs *e = calloc(1, sizeof(*e));
	struct pid_namespace ns;
	int err;

	if (!e)
		return -ENOMEM;
	e->bpf = exec_bpf__open();
	err = e->bpf ? pid_namespace_read(&ns) : -errno;
	if (err)
		goto fail;
	e->bpf->rodata->ns_dev = ns.dev;
	e->bpf->rodata->ns_ino = ns.ino;
	err = exec_bpf__load(e->bpf);
	if (!err)
		err = exec_bpf__attach(e->bpf);
	if (err)
		goto fail;
	e->ring = ring_buffer__new(bpf_map__fd(e->bpf->maps.execs), on_record, e, NULL);
	if (!e->ring) {
		err = -errno;
		goto fail;
	}
	*ret_execs = e;
	return 0;
fail:
	execs_free(e);
	return err;
}

void execs_free(struct execs *e)
{
	if (!e)
		return;
	ring_buffer__free(e->ring);
	exec_bpf__destroy(e->bpf);
	free(e);
}

int execs_fd(const struct execs *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

bool execs_read(struct execs *e, exec_fn fn, void *ctx)
{
	uint32_t before = e->lost;

	e->fn = fn;
	e->ctx = ctx;
	(void)ring_buffer__consume(e->ring); /* on_record() never fails */
	e->lost = e->bpf->bss->lost;
	return e->lost != before;
}

/* Errors are ignored: without the map entry there are only superfluous wake-ups. */
void execs_ignore(struct execs *e, uint64_t cgroup)
{
	scoped_privilege int raised = privilege_raise();
	uint8_t one = 1;

	(void)bpf_map_update_elem(bpf_map__fd(e->bpf->maps.known), &cgroup, &one, BPF_ANY);
}

void execs_watch(struct execs *e, uint64_t cgroup)
{
	scoped_privilege int raised = privilege_raise();

	(void)bpf_map_delete_elem(bpf_map__fd(e->bpf->maps.known), &cgroup);
}
