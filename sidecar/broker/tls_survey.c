/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/tls_survey.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "broker/library_search.h"
#include "broker/mapped_files.h"
#include "pod/privilege.h"

#define ROWS_MAX  64
#define FILES_MAX 256

/* The err of a file whose search did not come to its end. */
#define NOT_SEARCHED (-ETIME)

struct file {
	uint64_t device;
	uint64_t inode;
	int fd; /* -1: not open */
	int err; /* as key_log_find() returns it */
	char name[64];
};

struct tls_survey {
	struct tls_survey_row rows[ROWS_MAX];
	size_t row_count;
	size_t left_out;
	struct file files[FILES_MAX];
	size_t file_count;
	struct library_search search;
	size_t searched[LIBRARY_SEARCH_FILES]; /* the files of the search */
};

struct tls_survey *tls_survey_new(void)
{
	return calloc(1, sizeof(struct tls_survey));
}

void tls_survey_free(struct tls_survey *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].fd >= 0)
			(void)close(s->files[i].fd); /* read only */
	free(s);
}

static int on_process(void *ctx, pid_t pid)
{
	struct tls_survey *s = ctx;
	struct tls_survey_row *row = &s->rows[s->row_count];

	if (s->row_count == ROWS_MAX) {
		s->left_out++;
		return 0;
	}
	*row = (struct tls_survey_row){.pid = pid, .err = -ENOENT};
	process_shown_comm(pid, row->comm);
	s->row_count++;
	return 0;
}

void tls_survey_add(struct tls_survey *s, const struct cgroup *cgroup)
{
	(void)cgroup_each(cgroup, on_process, s); /* on_process() never fails */
}

static struct file *find_file(struct tls_survey *s, const struct mapped_file *f)
{
	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].inode == f->inode && s->files[i].device == f->device)
			return &s->files[i];
	return NULL;
}

/* Of one process that is looked at. */
struct look {
	struct tls_survey *survey;
	struct tls_survey_row *row;
};

static void collect(void *ctx, const struct mapped_file *f)
{
	struct look *look = ctx;
	struct tls_survey *s = look->survey;
	size_t len = strlen(f->path);
	struct file *file = &s->files[s->file_count];

	if (find_file(s, f) || s->file_count == FILES_MAX)
		return;
	*file = (struct file){.device = f->device, .inode = f->inode, .err = NOT_SEARCHED};
	file->fd = mapped_file_open(look->row->pid, f);
	if (file->fd < 0)
		file->err = file->fd;
	(void)snprintf(file->name, sizeof(file->name), "%s",
		       len < sizeof(file->name) ? f->path : f->path + len + 1 - sizeof(file->name));
	s->file_count++;
}

/* Which file tells most: one that can be probed, one that cannot, one that was not read. */
static int rank(int err)
{
	return err == 0 ? 3 : err == -EOPNOTSUPP ? 2 : err == -ENOENT ? 0 : 1;
}

static void judge(void *ctx, const struct mapped_file *f)
{
	struct look *look = ctx;
	const struct file *file = find_file(look->survey, f);
	struct tls_survey_row *row = look->row;
	int err = file ? file->err : -ENFILE; /* there were too many */

	if (err == -ENOTSUP || err == -ENOEXEC)
		err = -ENOENT;
	if (rank(err) <= rank(row->err))
		return;
	row->err = err;
	(void)snprintf(row->file, sizeof(row->file), "%s", file ? file->name : "");
}

static void on_found(void *ctx, size_t i, int err, const union library_found *found)
{
	struct tls_survey *s = ctx;

	(void)found;
	s->files[s->searched[i]].err = err;
}

static void search(struct tls_survey *s, uv_loop_t *loop)
{
	int fds[LIBRARY_SEARCH_FILES];
	size_t next = 0;

	library_search_init(&s->search, loop, LIBRARY_KEY_LOG, on_found, NULL, s);
	while (next < s->file_count) {
		size_t count = 0;

		for (; next < s->file_count && count < LIBRARY_SEARCH_FILES; next++)
			if (s->files[next].fd >= 0) {
				s->searched[count] = next;
				fds[count++] = s->files[next].fd;
			}
		if (count && library_search_start(&s->search, fds, count))
			return;
		(void)uv_run(loop, UV_RUN_DEFAULT); /* until the child has ended */
	}
}

const struct tls_survey_row *tls_survey_run(struct tls_survey *s, size_t *ret_count,
					    size_t *ret_left_out)
{
	scoped_privilege int raised = privilege_raise();
	uv_loop_t loop;

	for (size_t i = 0; i < s->row_count; i++) {
		struct look look = {s, &s->rows[i]};
		int err = mapped_files_each(s->rows[i].pid, collect, &look);

		if (err)
			s->rows[i].err = err;
	}
	if (uv_loop_init(&loop) == 0) {
		search(s, &loop);
		(void)uv_loop_close(&loop); /* nothing is open */
	}
	for (size_t i = 0; i < s->row_count; i++) {
		struct look look = {s, &s->rows[i]};

		if (s->rows[i].err == -ENOENT) /* else nothing could be read */
			(void)mapped_files_each(s->rows[i].pid, judge, &look);
	}
	*ret_count = s->row_count;
	*ret_left_out = s->left_out;
	return s->rows;
}
