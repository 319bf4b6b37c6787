/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields from before we joined: lists that come before their blocks and after them, lists of other
 * blocks, and random ones from libnghttp2's encoder: then a field is right or unknown.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include "base/text.h"
#include "hex.h"
#include "proto/http2_head.h"

#define FIELDS_MAX 12

static struct memory_budget everything;
static struct memory_account account;
static struct http2_memory memory;
static size_t table_bytes;

static void add_text(struct text *t, const char *name, const char *value)
{
	uint16_t len[2] = {(uint16_t)strlen(name), (uint16_t)strlen(value)};

	text_add_span(t, (struct span){(const char *)len, sizeof(len)});
	text_add(t, name);
	text_add(t, value);
}

/* "name: value\n" and so on. */
static struct text text_of(const char *fields)
{
	char name[64];
	char value[64];
	struct text t;
	int n;

	text_init(&t);
	for (; sscanf(fields, "%63[^\n ] %63[^\n]%n", name, value, &n) == 2; fields += n + 1) {
		name[strlen(name) - 1] = '\0';
		add_text(&t, name, value);
	}
	return t;
}

static void add_field(void *ctx, struct span name, struct span value)
{
	if (name.len)
		text_addf(ctx, "%.*s: %.*s\n", SPAN_ARG(name), SPAN_ARG(value));
	else
		text_add(ctx, "?\n");
}

static void begin_fields(void *ctx)
{
	struct text *t = ctx;

	text_release(t);
	text_init(t);
}

/* A direction that was joined, and what was decoded of its newest block. */
struct joined {
	struct http2_heads heads;
	struct http2_observer observer;
	struct text got;
	uint64_t counts[HTTP2_RECALLED_MAX];
};

static void join(struct joined *j)
{
	static const uint64_t generation = 1;

	*j = (struct joined){.heads = {.hpack.memory = &memory, .generation = &generation}};
	text_init(&j->got);
	j->observer = (struct http2_observer){true, begin_fields, add_field, &j->got};
	j->heads.observer = &j->observer;
	http2_heads_forget(&j->heads);
	http2_heads_recall(&j->heads, j->counts);
	assert_non_null(j->heads.recall);
}

static void leave(struct joined *j)
{
	text_release(&j->got);
	http2_heads_release(&j->heads);
	assert_int_equal(account.used, 0);
}

static const struct http2_head *block(struct joined *j, uint32_t stream, bool is_end,
				      const char *hex)
{
	char bytes[64];
	const struct http2_head *head = NULL;

	j->heads.stream = stream;
	j->heads.is_end = is_end;
	assert_int_equal(
		http2_heads_read(&j->heads,
				 (struct span){bytes, hex_bytes(hex, bytes, sizeof(bytes))}, &head),
		0);
	return head;
}

/* Not known yet: it is kept. */
#define LATER HTTP2_RECALLED_MAX

/* What was counted of a list since the counts were these. */
static enum http2_recalled since(const struct joined *j, const uint64_t *before)
{
	for (unsigned i = 0; i < HTTP2_RECALLED_MAX; i++)
		if (j->counts[i] != before[i])
			return (enum http2_recalled)i;
	return LATER;
}

static enum http2_recalled add(struct joined *j, const struct http2_list *l)
{
	uint64_t before[HTTP2_RECALLED_MAX];

	memcpy(before, j->counts, sizeof(before));
	http2_heads_add_list(&j->heads, l);
	return since(j, before);
}

static enum http2_recalled list(struct joined *j, uint32_t stream, bool is_end, const char *fields)
{
	struct text t = text_of(fields);
	struct http2_list l = {stream, is_end, {t.ptr, t.len}};
	enum http2_recalled recalled = add(j, &l);

	text_release(&t);
	return recalled;
}

#define REQUEST ":method: POST\n:path: /a\n:scheme: http\nte: x\n"

/* 83: :method POST; bf, be: entries of before; 86: :scheme http. */
static void test_list_first(void **state)
{
	struct joined j;

	(void)state;
	join(&j);
	assert_int_equal(list(&j, 1, false, REQUEST), LATER);
	assert_int_equal(block(&j, 1, false, "83bf86be")->unknown, 0);
	assert_string_equal(j.got.ptr, REQUEST);
	/* Now its entries are known, also behind new ones, and their names alone. */
	(void)block(&j, 3, false, "834001610162c086bf");
	assert_string_equal(j.got.ptr, ":method: POST\na: b\n:path: /a\n:scheme: http\nte: x\n");
	(void)block(&j, 5, false, "7f01017abe");
	assert_string_equal(j.got.ptr, ":path: z\n:path: z\n");
	leave(&j);
}

static void test_block_first(void **state)
{
	struct joined j;
	const struct http2_head *head;

	(void)state;
	join(&j);
	assert_int_equal(block(&j, 1, false, "83bf86be")->unknown, 2);
	assert_string_equal(j.got.ptr, ":method: POST\n?\n:scheme: http\n?\n");
	assert_int_equal(list(&j, 1, false, REQUEST), HTTP2_RECALLED_LEARNED);
	head = block(&j, 3, false, "83bf86be");
	assert_int_equal(head->unknown, 0);
	assert_true(head->is_request && span_is(head->path, "/a"));
	leave(&j);
}

/* A block that is the same byte by byte is known as soon as its fields are. */
static void test_cached(void **state)
{
	struct joined j;

	(void)state;
	join(&j);
	j.observer.is_on = false;
	assert_int_equal(block(&j, 1, false, "83bf86be")->unknown, 2);
	assert_int_equal(block(&j, 3, false, "83bf86be")->unknown, 2);
	assert_int_equal(list(&j, 3, false, REQUEST), HTTP2_RECALLED_LEARNED);
	assert_int_equal(block(&j, 5, false, "83bf86be")->unknown, 0);
	assert_int_equal(block(&j, 7, false, "83bf86be")->unknown, 0);
	leave(&j);
}

/* A literal with a name that is unknown, and its own entry. */
static void test_names(void **state)
{
	struct joined j;

	(void)state;
	join(&j);
	(void)block(&j, 1, true, "7f010165be");
	assert_string_equal(j.got.ptr, "?\n?\n");
	assert_int_equal(list(&j, 1, true, "n: e\nn: e\n"), HTTP2_RECALLED_LEARNED);
	(void)block(&j, 3, true, "be7f020166");
	assert_string_equal(j.got.ptr, "n: e\nn: f\n");
	/* The value of that entry is still unknown. */
	(void)block(&j, 5, true, "c1");
	assert_string_equal(j.got.ptr, "?\n");
	leave(&j);
}

static void test_other_lists(void **state)
{
	static const struct {
		const char *why;
		uint32_t stream;
		bool is_end;
		const char *fields;
		enum http2_recalled want;
	} rows[] = {
		{"of another stream", 3, false, REQUEST, LATER},
		{"trailers", 1, true, REQUEST, LATER},
		{"one field more", 1, false, REQUEST "a: b\n", HTTP2_RECALLED_MISMATCH},
		{"one field less", 1, false, ":method: POST\n:path: /a\n:scheme: http\n",
		 HTTP2_RECALLED_MISMATCH},
		{"another value of a field that is known", 1, false,
		 ":method: POST\n:path: /a\n:scheme: https\nte: x\n", HTTP2_RECALLED_MISMATCH},
		{"another order", 1, false, ":path: /a\n:method: POST\n:scheme: http\nte: x\n",
		 HTTP2_RECALLED_MISMATCH},
	};

	static const uint64_t none[HTTP2_RECALLED_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int is_first = 0; is_first < 2; is_first++) {
			struct joined j;
			enum http2_recalled got;

			join(&j);
			if (is_first)
				assert_int_equal(
					list(&j, rows[i].stream, rows[i].is_end, rows[i].fields),
					LATER);
			assert_int_equal(block(&j, 1, false, "83bf86be")->unknown, 2);
			got = is_first ? since(&j, none)
				       : list(&j, rows[i].stream, rows[i].is_end, rows[i].fields);
			if (got != rows[i].want)
				fail_msg("%s: %d", rows[i].why, got);
			if (block(&j, 5, false, "83bf86be")->unknown != 2)
				fail_msg("%s: it was believed", rows[i].why);
			leave(&j);
		}
}

/* Each list ends in one count. */
static void test_counts(void **state)
{
	struct joined j;

	(void)state;
	join(&j);
	for (uint32_t i = 0; i < 100; i++)
		(void)list(&j, 2 * i + 1, false, REQUEST);
	(void)block(&j, 199, false, "83bf86be"); /* learned */
	(void)block(&j, 197, false, "83bf86be"); /* known: not needed any more */
	(void)block(&j, 195, false, "82c086be"); /* another method */
	http2_heads_forget(&j.heads);
	assert_int_equal(j.counts[HTTP2_RECALLED_UNNEEDED], 98);
	assert_int_equal(j.counts[HTTP2_RECALLED_MISMATCH], 1);
	leave(&j);
	assert_int_equal(j.counts[HTTP2_RECALLED_LEARNED], 1);
}

static void test_malformed(void **state)
{
	static const struct span rows[] = {
		{"", 0},
		{"\1\0\0\0", 4},
		{"\0\0\0\0", 4},
		{"\1\0\1\0ab\1", 7},
		{"\1\0\377\377ab", 6},
	};
	char many[(HTTP2_LIST_FIELDS_MAX + 1) * 5];
	struct joined j;

	(void)state;
	join(&j);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(add(&j, &(struct http2_list){1, false, rows[i]}),
				 HTTP2_RECALLED_DROPPED);
	for (size_t i = 0; i < sizeof(many); i += 5)
		memcpy(many + i, "\1\0\0\0a", 5);
	assert_int_equal(add(&j, &(struct http2_list){1, false, {many, sizeof(many)}}),
			 HTTP2_RECALLED_DROPPED);
	leave(&j);
}

/* Once a block is missed, the numbers mean other entries. */
static void test_forget(void **state)
{
	struct joined j;

	(void)state;
	join(&j);
	assert_int_equal(list(&j, 1, false, REQUEST), LATER);
	(void)block(&j, 1, false, "83bf86be");
	(void)block(&j, 3, false, "83c086be");
	http2_heads_forget(&j.heads);
	assert_int_equal(block(&j, 5, false, "83bf86be")->unknown, 2);
	/* That block is of before, too. */
	http2_heads_forget(&j.heads);
	assert_int_equal(list(&j, 5, false, REQUEST), LATER);
	assert_int_equal(block(&j, 7, false, "83bf86be")->unknown, 2);
	leave(&j);
}

/* --- random ----------------------------------------------------------------------- */

static uint64_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

struct drawn {
	char name[FIELDS_MAX][8];
	char value[FIELDS_MAX][32];
	nghttp2_nv nv[FIELDS_MAX];
	size_t count;
};

static void draw_fields(struct drawn *d)
{
	d->count = 1 + draw(FIELDS_MAX);
	for (size_t i = 0; i < d->count; i++) {
		(void)snprintf(d->name[i], sizeof(d->name[i]), "n%u", draw(8));
		(void)snprintf(d->value[i], sizeof(d->value[i]), "%0*u", (int)draw(30), draw(5));
		d->nv[i] = (nghttp2_nv){(uint8_t *)d->name[i], (uint8_t *)d->value[i],
					strlen(d->name[i]), strlen(d->value[i]), 0};
	}
}

static void add_list(struct joined *j, uint32_t stream, bool is_end, const struct drawn *d)
{
	struct http2_list l = {stream, is_end, {0}};
	struct text t;

	text_init(&t);
	for (size_t i = 0; i < d->count; i++)
		add_text(&t, d->name[i], d->value[i]);
	l.text = (struct span){t.ptr, t.len};
	http2_heads_add_list(&j->heads, &l);
	text_release(&t);
}

/* Of each field: it is right, or "?". Returns how many are known. */
static size_t compare(const struct text *got, const struct drawn *want)
{
	const char *at = got->ptr;
	size_t known = 0;

	for (size_t i = 0; i < want->count; i++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "%s: %s\n", want->name[i], want->value[i]);

		if (strncmp(at, "?\n", 2) == 0) {
			at += 2;
			continue;
		}
		assert_int_equal(strncmp(at, line, (size_t)n), 0);
		at += n;
		known++;
	}
	assert_int_equal(*at, 0);
	return known;
}

/* Returns the share of fields that are known, in percent. */
static unsigned run(unsigned of_lists, bool sizes_change)
{
	static struct drawn now;
	static struct drawn last;
	static uint8_t out[16 << 10];
	nghttp2_hd_deflater *deflater;
	size_t fields = 0;
	size_t known = 0;
	unsigned malformed = 0;
	struct joined j;

	join(&j);
	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
	for (uint32_t b = 0; b < 200; b++) {
		uint32_t stream = 2 * b + 1;
		bool is_first = draw(2);
		bool has_list = draw(100) < of_lists;
		const struct http2_head *head;
		ssize_t n;

		last = now;
		draw_fields(&now);
		if (sizes_change && draw(20) == 0)
			(void)nghttp2_hd_deflate_change_table_size(deflater, draw(4096));
		n = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), now.nv, now.count);
		assert_true(n >= 0);
		if (b < 30)
			continue;
		if (draw(10) == 0)
			add_list(&j, stream, false, &last); /* not its own */
		if (has_list && is_first)
			add_list(&j, stream, false, &now);
		j.heads.stream = stream;
		j.heads.is_end = false;
		if (http2_heads_read(&j.heads, (struct span){(char *)out, (size_t)n}, &head)) {
			malformed++; /* an index that our table cannot have */
			continue;
		}
		fields += now.count;
		known += compare(&j.got, &now);
		if (has_list && !is_first)
			add_list(&j, stream, false, &now);
	}
	nghttp2_hd_deflate_del(deflater);
	assert_true(malformed <= 2);
	leave(&j);
	return (unsigned)(known * 100 / fields);
}

static void test_random(void **state)
{
	unsigned without = 0;
	unsigned with = 0;

	(void)state;
	for (uint64_t i = 1; i < 100; i++) {
		seed = i;
		without += run(0, i % 2);
		seed = i;
		with += run(80, i % 2);
	}
	assert_true(with > without);
	assert_true(with > 99 * 97);
}

static int set_up(void **state)
{
	(void)state;
	memory_budget_init(&everything, SIZE_MAX);
	account.budget = &everything;
	memory = (struct http2_memory){&account, &table_bytes};
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_first),  cmocka_unit_test(test_block_first),
		cmocka_unit_test(test_cached),	    cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_lists), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_forget),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("http2_recall", tests, set_up, NULL);
}
