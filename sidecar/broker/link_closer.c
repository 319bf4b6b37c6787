/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link_closer.h"

#include <assert.h>
#include <stdbool.h>
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
static bool has_threads;

static void do_nothing(uv_work_t *work)
{
	(void)work;
}

static void on_started(uv_work_t *work, int status)
{
	(void)status; /* it is never cancelled */
	free(work);
}

void link_closer_start(uv_loop_t *loop)
{
	uv_work_t *work = malloc(sizeof(*work));

	has_threads = work && uv_queue_work(loop, work, do_nothing, on_started) == 0;
	if (!has_threads)
		free(work);
}

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
	c = has_threads ? calloc(1, sizeof(*c)) : NULL;
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
