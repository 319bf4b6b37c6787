/* SPDX-License-Identifier: Apache-2.0 */
/* The code that a process has mapped: this one. And how a file of it is searched in a child. */
#include "broker/mapped_files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/library_search.h"
#include "elf_image.h"

struct seen {
	unsigned files;
	bool has_libc;
	int fd;
	int stale_fd;
};

static void on_file(void *ctx, const struct mapped_file *f)
{
	struct seen *s = ctx;
	struct mapped_file other = *f;

	s->files++;
	assert_int_equal(f->path[0], '/');
	if (!strstr(f->path, "libc.so") || s->has_libc)
		return;
	s->has_libc = true;
	s->fd = mapped_file_open(getpid(), f);
	other.inode++;
	s->stale_fd = mapped_file_open(getpid(), &other);
}

static void test_ourselves(void **state)
{
	struct seen seen = {.fd = -1};
	char path[64];
	char target[PATH_MAX];
	ssize_t n;

	(void)state;
	assert_int_equal(mapped_files_each(getpid(), on_file, &seen), 0);
	assert_true(seen.files > 1);
	assert_true(seen.has_libc);
	assert_true(seen.fd >= 0);
	assert_int_equal(seen.stale_fd, -ESTALE);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", seen.fd);
	n = readlink(path, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_non_null(strstr(target, "libc"));
	assert_int_equal(close(seen.fd), 0);
	assert_int_equal(mapped_files_each(INT_MAX, on_file, &seen), -ENOENT);
}

struct results {
	unsigned found;
	unsigned done;
	int err[2];
	uint64_t offset;
};

static void on_found(void *ctx, size_t file, int err, const union library_found *found)
{
	struct results *r = ctx;

	r->found++;
	r->err[file] = err;
	if (!err)
		r->offset = found->key_log.offset;
}

static void on_done(void *ctx)
{
	((struct results *)ctx)->done++;
}

static void test_search(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct library_search search;
	struct results results = {0};
	uv_loop_t loop;
	int fds[2];

	(void)state;
	image_build(image);
	fds[0] = image_open(image, 100); /* it ends within its headers */
	fds[1] = image_open(image, sizeof(image));
	assert_int_equal(uv_loop_init(&loop), 0);
	library_search_init(&search, &loop, LIBRARY_KEY_LOG, on_found, on_done, &results);
	assert_int_equal(library_search_start(&search, fds, 2), 0);
	assert_int_equal(library_search_start(&search, fds, 2), -EBUSY);
	(void)uv_run(&loop, UV_RUN_DEFAULT); /* until the child has ended */
	assert_int_equal(results.found, 2);
	assert_int_equal(results.done, 1);
	assert_int_equal(results.err[0], -ENOEXEC);
	assert_int_equal(results.err[1], 0);
	assert_int_equal(results.offset, IMAGE_FUNCTION + IMAGE_JUMP);
	/* Stopped, it says nothing any more. */
	assert_int_equal(library_search_start(&search, fds, 2), 0);
	library_search_stop(&search);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(results.found, 2);
	assert_int_equal(results.done, 1);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ourselves),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
