/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/sockmap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sockmap.skel.h"

#define COOKIES_MAX 16384

struct sockmap {
	int link_fd;
	size_t count;
	uint64_t *cookies; /* sorted; room for COOKIES_MAX once one was found */
};

/* The link outlives libbpf's object, which takes much memory. */
static int load(struct sockmap *m)
{
	struct sockmap_bpf *bpf = sockmap_bpf__open_and_load();
	int err = bpf ? sockmap_bpf__attach(bpf) : -errno;

	if (!err) {
		m->link_fd = fcntl(bpf_link__fd(bpf->links.sl_sockmap), F_DUPFD_CLOEXEC, 0);
		err = m->link_fd < 0 ? -errno : 0;
	}
	sockmap_bpf__destroy(bpf);
	return err;
}

int sockmap_new(struct sockmap **ret_sockmap)
{
	struct sockmap *m = malloc(sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	*m = (struct sockmap){.link_fd = -1};
	err = load(m);
	if (err)
		sockmap_free(m);
	else
		*ret_sockmap = m;
	return err;
}

void sockmap_free(struct sockmap *m)
{
	if (!m)
		return;
	if (m->link_fd >= 0)
		(void)close(m->link_fd); /* nothing was written */
	free(m->cookies);
	free(m);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Adds cookies; *is_new: some sockets had none. */
static int add(struct sockmap *m, const uint64_t *cookies, size_t count, bool *is_new)
{
	if (!m->cookies)
		m->cookies = malloc(COOKIES_MAX * sizeof(*m->cookies));
	if (!m->cookies)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (m->count == COOKIES_MAX)
			return -E2BIG;
		*is_new |= cookies[i] == 0;
		m->cookies[m->count++] = cookies[i];
	}
	return 0;
}

int sockmap_read(struct sockmap *m)
{
	scoped_fd int fd = bpf_iter_create(m->link_fd);
	uint64_t cookies[512];
	bool is_new = false;
	ssize_t n;
	int err = fd < 0 ? fd : 0;

	m->count = 0;
	while (!err && (n = read(fd, cookies, sizeof(cookies))) != 0) {
		if (n < 0)
			err = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		else
			err = add(m, cookies, (size_t)n / sizeof(cookies[0]), &is_new);
	}
	if (m->count)
		qsort(m->cookies, m->count, sizeof(*m->cookies), compare);
	return err ? err : is_new ? -EAGAIN : 0;
}

bool sockmap_has(const struct sockmap *m, uint64_t cookie)
{
	return m && m->count && bsearch(&cookie, m->cookies, m->count, sizeof(cookie), compare);
}
