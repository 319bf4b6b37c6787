/* SPDX-License-Identifier: Apache-2.0 */
/* A page is the text of the registry, whichever way and in whatever steps it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ZLIB_CONST
#include <zlib.h>

#include "export/page.h"

#define SERIES 600 /* several chunks, several parts */

static const char *const names[] = {"route"};
static const double bounds[] = {.1, 1, 10};
static const struct family_desc desc = {
	.name = "seconds",
	.help = "Help.",
	.type = METRIC_HISTOGRAM,
	.label_names = names,
	.label_count = 1,
	.bounds = bounds,
	.bound_count = 3,
};

struct fixture {
	struct registry *registry;
	struct page *page;
	struct text text;
};

static int setup(void **state)
{
	static struct fixture f;
	struct family *family;
	unsigned random = 1;

	f.registry = registry_new(SERIES + 1);
	family = registry_family(f.registry, &desc);
	for (unsigned i = 0; i < SERIES; i++) {
		char route[64];
		const char *values[] = {route};

		/* Not too regular, or one chunk would hold all of it. */
		random = random * 1103515245 + 12345;
		(void)snprintf(route, sizeof(route), "/%x/%u/%x", random, i, random * 7919);
		series_observe(family, family_series(family, values), i * .0173);
	}
	text_init(&f.text);
	text_encode(&f.text, f.registry, TEXT_OPENMETRICS, NULL, 0);
	f.page = page_new(f.registry, PAGE_OPENMETRICS, NULL, 0);
	*state = &f;
	return f.page && !f.text.has_failed ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	page_free(f->page);
	text_release(&f->text);
	registry_free(f->registry);
	return 0;
}

/* Reads everything in steps of so many bytes. */
static void read_all(struct page_reader *r, size_t step, struct text *out)
{
	char buf[100000];
	ssize_t n;

	assert_true(step <= sizeof(buf));
	text_clear(out);
	while ((n = page_read(r, buf, step)) > 0)
		text_add_span(out, (struct span){buf, (size_t)n});
	assert_int_equal(n, 0);
	assert_int_equal(page_read(r, buf, step), 0);
}

static void inflate_all(const struct text *packed, struct text *out)
{
	z_stream z = {.next_in = (const Bytef *)packed->ptr, .avail_in = (uInt)packed->len};
	char *buf = malloc(1 << 20);

	assert_non_null(buf);
	z.next_out = (Bytef *)buf;
	z.avail_out = 1 << 20;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	text_clear(out);
	text_add_span(out, (struct span){buf, z.total_out});
	(void)inflateEnd(&z);
	free(buf);
}

static void test_steps(void **state)
{
	static const size_t steps[] = {1, 7, 4096, 16384, 100000};
	struct fixture *f = *state;
	struct text got;
	struct text inflated;

	text_init(&got);
	text_init(&inflated);
	assert_int_equal(page_length(f->page, PAGE_IDENTITY), f->text.len);
	assert_in_range(page_length(f->page, PAGE_GZIP), 16385, f->text.len / 4);
	assert_in_range(page_memory(f->page), page_length(f->page, PAGE_GZIP), f->text.len);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct page_reader *identity = page_reader_new(f->page, PAGE_IDENTITY);
		struct page_reader *gzip = page_reader_new(f->page, PAGE_GZIP);

		assert_non_null(identity);
		assert_non_null(gzip);
		read_all(identity, steps[i], &got);
		assert_string_equal(got.ptr, f->text.ptr);
		read_all(gzip, steps[i], &got);
		assert_int_equal(got.len, page_length(f->page, PAGE_GZIP));
		inflate_all(&got, &inflated);
		assert_string_equal(inflated.ptr, f->text.ptr);
		page_reader_free(identity);
		page_reader_free(gzip);
	}
	text_release(&got);
	text_release(&inflated);
}

static void test_rewind(void **state)
{
	struct fixture *f = *state;

	for (int coding = PAGE_IDENTITY; coding <= PAGE_GZIP; coding++) {
		struct page_reader *r = page_reader_new(f->page, (enum page_coding)coding);
		struct text first;
		struct text second;
		char some[5000];

		text_init(&first);
		text_init(&second);
		assert_non_null(r);
		read_all(r, 4096, &first);
		assert_int_equal(page_rewind(r), 0);
		assert_int_equal(page_read(r, some, sizeof(some)), sizeof(some));
		assert_int_equal(page_rewind(r), 0);
		read_all(r, 4096, &second);
		assert_int_equal(first.len, second.len);
		assert_memory_equal(first.ptr, second.ptr, first.len);
		page_reader_free(r);
		text_release(&first);
		text_release(&second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_rewind),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
