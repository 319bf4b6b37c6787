/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/btf_layout.h"

#include <bpf/btf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* struct first { int a; int b:3; struct { } c; }; with an enum and a function before it; made by
 * libbpf. */
static struct btf *make(void)
{
	struct btf *btf = btf__new_empty();
	int number;

	assert_non_null(btf);
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	assert_true(btf__add_enum64(btf, "far", 8, false) > 0);
	assert_int_equal(btf__add_enum64_value(btf, "FAR", 1ull << 40), 0);
	assert_true(btf__add_enum(btf, "near", 4) > 0);
	assert_int_equal(btf__add_enum_value(btf, "NEAR", 1), 0);
	assert_true(btf__add_array(btf, number, number, 3) > 0);
	assert_true(btf__add_func_proto(btf, number) > 0);
	assert_int_equal(btf__add_func_param(btf, "x", number), 0);
	assert_true(btf__add_decl_tag(btf, "tag", number, -1) > 0);
	/* Another one of that name, which lacks a member. */
	assert_true(btf__add_struct(btf, "first", 4) > 0);
	assert_int_equal(btf__add_field(btf, "a", number, 0, 0), 0);
	assert_true(btf__add_union(btf, "first", 400) > 0);
	assert_true(btf__add_struct(btf, "first", 40) > 0);
	assert_int_equal(btf__add_field(btf, "a", number, 64, 0), 0);
	assert_int_equal(btf__add_field(btf, "bits", number, 96, 3), 0);
	assert_int_equal(btf__add_field(btf, "c", number, 128, 0), 0);
	assert_true(btf__add_struct(btf, "second", 8) > 0);
	assert_int_equal(btf__add_field(btf, "a", number, 32, 0), 0);
	return btf;
}

static void test_found(void **state)
{
	struct btf *btf = make();
	struct btf_wanted w[] = {
		{"second", "a", 0}, {"first", "c", 0}, {"first", NULL, 0}, {"first", "a", 0}};
	uint32_t size;
	const void *content = btf__raw_data(btf, &size);

	(void)state;
	assert_int_equal(btf_layout_find(w, 4, content, size), 0);
	assert_int_equal(w[0].bytes, 4);
	assert_int_equal(w[1].bytes, 16);
	assert_int_equal(w[2].bytes, 40);
	assert_int_equal(w[3].bytes, 8);
	btf__free(btf);
}

static void test_not_there(void **state)
{
	static const struct btf_wanted wanted[] = {
		{"third", "a", 0}, {"first", "d", 0}, {"first", "bits", 0}, {"second", "c", 0}};
	struct btf *btf = make();
	uint32_t size;
	const void *content = btf__raw_data(btf, &size);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct btf_wanted w = wanted[i];

		assert_int_equal(btf_layout_find(&w, 1, content, size), -ENOENT);
	}
	btf__free(btf);
}

/* Cut anywhere, and with each byte another: an error, or an answer, and nothing outside is read. */
static void test_broken(void **state)
{
	struct btf *btf = make();
	uint32_t size;
	const void *content = btf__raw_data(btf, &size);

	(void)state;
	for (uint32_t len = 0; len < size; len++) {
		struct btf_wanted w = {"second", "a", 0};
		void *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, content, len);
		assert_true(btf_layout_find(&w, 1, cut, len) < 0);
		free(cut);
	}
	for (uint32_t at = 0; at < size; at++)
		for (unsigned flip = 1; flip < 256; flip *= 2) {
			struct btf_wanted w[] = {{"first", "c", 0}, {"second", "a", 0}};
			unsigned char *broken = malloc(size);
			int err;

			assert_non_null(broken);
			memcpy(broken, content, size);
			broken[at] ^= (unsigned char)flip;
			err = btf_layout_find(w, 2, broken, size);
			assert_true(err == 0 || err == -EBADMSG || err == -EPROTO ||
				    err == -ENOENT);
			free(broken);
		}
	btf__free(btf);
}

/* What libbpf finds in this kernel's. */
static void test_as_libbpf(void **state)
{
	static const char *const names[][2] = {{"task_struct", "tgid"},
					       {"task_struct", "thread_pid"},
					       {"pid", "numbers"},
					       {"upid", "ns"}};
	struct btf *btf = btf__load_vmlinux_btf();

	(void)state;
	if (!btf) {
		print_message("this kernel has no BTF\n");
		skip();
	}
	for (size_t i = 0; i < 4; i++) {
		struct btf_wanted w = {names[i][0], names[i][1], 0};
		int id = btf__find_by_name_kind(btf, names[i][0], BTF_KIND_STRUCT);
		const struct btf_type *t = btf__type_by_id(btf, (uint32_t)id);
		bool has_member = false;

		assert_int_equal(btf_layout_of_kernel(&w, 1), 0);
		for (uint32_t m = 0; m < btf_vlen(t); m++)
			if (strcmp(btf__name_by_offset(btf, btf_members(t)[m].name_off),
				   names[i][1]) == 0) {
				assert_int_equal(w.bytes, btf_member_bit_offset(t, m) / 8);
				has_member = true;
			}
		assert_true(has_member);
	}
	btf__free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_as_libbpf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
