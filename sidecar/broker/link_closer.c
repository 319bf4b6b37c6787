/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link_closer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct closing {
	uv_work_t work;
	size_t count;
	int fds[LINK_CLOSER_MAX];
};

/* On the loop's thread. */
static size_t closing_count;

static void close_all(uv_work_t *work)
{
	struct closing *c = work->data;

	for (size_t i = 0; i < c->count; i++)
		(void)close(c->fds[i]); /* nothing is buffered behind it */
}

static void on_closed(uv_work_t *work, int status)
{
	struct closing *c = work->data;

	(void)status; /* it is never cancelled */
	closing_count -= c->count;
	free(c);
}

size_t link_closer_count(void)
{
	return closing_count;
}

void link_closer_close(uv_loop_t *loop, const int *fds, size_t count)
{
	struct closing *c;

	assert(count <= LINK_CLOSER_MAX);
	if (count == 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c) {
		c->work.data = c;
		c->count = count;
		memcpy(c->fds, fds, count * sizeof(*fds));
		if (uv_queue_work(loop, &c->work, close_all, on_closed) == 0) {
			closing_count += count;
			return;
		}
		free(c);
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]); /* likewise; it takes its time here */
}
