/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/header_lists.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/uprobe_link.h"
#include "header_lists.skel.h"
#include "pod/privilege.h"

_Static_assert((int)GO_GRPC_SERVER_READS == (int)SL_LIST_SERVER_READS &&
		       (int)GO_GRPC_CLIENT_READS == (int)SL_LIST_CLIENT_READS &&
		       (int)GO_GRPC_WRITES == (int)SL_LIST_WRITES &&
		       (int)GO_GRPC_FUNCTIONS == (int)SL_LIST_FUNCTIONS,
	       "cookies");

struct header_lists {
	struct header_lists_bpf *bpf;
	struct ring_buffer *ring;
	header_list_fn fn; /* of the header_lists_take() under way */
	void *ctx;
};

static int on_list(void *ctx, void *data, size_t len)
{
	const struct sl_header_list *list = data;
	struct header_lists *l = ctx;

	if (len < sizeof(*list) || list->bytes > sizeof(list->text) ||
	    list->function >= SL_LIST_FUNCTIONS)
		return 0;
	return l->fn(l->ctx, list) ? 0 : -ENOSPC; /* ends ring_buffer__consume() */
}

static int load(struct header_lists *l)
{
	int err;

	l->bpf = header_lists_bpf__open();
	if (!l->bpf)
		return -errno;
#ifdef __aarch64__
	l->bpf->rodata->is_arm64 = 1;
#endif
	err = bpf_program__set_expected_attach_type(l->bpf->progs.sl_list,
						    (enum bpf_attach_type)UPROBE_LINK_ATTACH_TYPE);
	if (!err)
		err = header_lists_bpf__load(l->bpf);
	if (err)
		return err == -EINVAL ? -EOPNOTSUPP : err; /* the attach type is not known */
	err = uprobe_link_support(bpf_program__fd(l->bpf->progs.sl_list));
	if (err != UPROBE_LINK_OF_PROCESS)
		return err < 0 ? err : -EOPNOTSUPP;
	l->ring = ring_buffer__new(bpf_map__fd(l->bpf->maps.lists), on_list, l, NULL);
	return l->ring ? 0 : -errno;
}

int header_lists_new(struct header_lists **ret_lists)
{
	scoped_privilege int raised = privilege_raise();
	struct header_lists *l = calloc(1, sizeof(*l));
	int err = l ? load(l) : -ENOMEM;

	if (err)
		header_lists_free(l);
	else
		*ret_lists = l;
	return err;
}

void header_lists_free(struct header_lists *l)
{
	if (!l)
		return;
	ring_buffer__free(l->ring);
	header_lists_bpf__destroy(l->bpf);
	free(l);
}

int header_lists_attach(struct header_lists *l, int file_fd, pid_t pid,
			const struct go_grpc_sites *sites)
{
	scoped_privilege int raised = privilege_raise();
	uint64_t offsets[GO_GRPC_FUNCTIONS];
	uint64_t cookies[GO_GRPC_FUNCTIONS];
	size_t count = 0;
	char path[32];

	for (unsigned i = 0; i < GO_GRPC_FUNCTIONS; i++)
		if (sites->offset[i]) {
			offsets[count] = sites->offset[i];
			cookies[count++] = i;
		}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd); /* shorter */
	return uprobe_link_create(bpf_program__fd(l->bpf->progs.sl_list), path, pid, offsets,
				  cookies, count);
}

int header_lists_fd(const struct header_lists *l)
{
	return ring_buffer__epoll_fd(l->ring);
}

static struct sl_list_ends reversed(const struct sl_list_ends *ends)
{
	return (struct sl_list_ends){{ends->end[1], ends->end[0]}};
}

int header_lists_want(struct header_lists *l, const struct sl_list_ends *ends)
{
	scoped_privilege int raised = privilege_raise();
	struct sl_list_ends other = reversed(ends);
	int fd = bpf_map__fd(l->bpf->maps.wanted);
	uint8_t one = 1;

	if (bpf_map_update_elem(fd, ends, &one, BPF_ANY) ||
	    bpf_map_update_elem(fd, &other, &one, BPF_ANY))
		return -errno;
	return 0;
}

void header_lists_unwant(struct header_lists *l, const struct sl_list_ends *ends)
{
	scoped_privilege int raised = privilege_raise();
	struct sl_list_ends other = reversed(ends);
	int fd = bpf_map__fd(l->bpf->maps.wanted);

	/* They may not be there: then it was refused. */
	(void)bpf_map_delete_elem(fd, ends);
	(void)bpf_map_delete_elem(fd, &other);
}

int header_lists_set_writer(struct header_lists *l, const struct sl_list_writer *writer,
			    const struct sl_list_writer_state *state)
{
	scoped_privilege int raised = privilege_raise();

	if (bpf_map_update_elem(bpf_map__fd(l->bpf->maps.writers), writer, state, BPF_ANY))
		return -errno;
	return 0;
}

void header_lists_take(struct header_lists *l, header_list_fn fn, void *ctx)
{
	l->fn = fn;
	l->ctx = ctx;
	(void)ring_buffer__consume(l->ring); /* fn knows what it has got */
}

uint64_t header_lists_lost(const struct header_lists *l)
{
	return l->bpf->bss->counters.lost_full + l->bpf->bss->counters.lost_long;
}
