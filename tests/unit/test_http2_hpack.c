/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks: the examples of RFC 7541, random header lists from libnghttp2.s encoder,
 * and the same joined mid-stream or with blocks missing: then a field is right or unknown.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include "base/text.h"
#include "guard.h"
#include "hex.h"
#include "proto/http2_hpack.h"

#define FIELDS_MAX 24

static struct guard guard;
static struct http2_memory memory;
static struct memory_budget everything;
static struct memory_account account;
static size_t table_bytes;

static void add_field(void *ctx, struct span name, struct span value)
{
	struct text *t = ctx;

	if (name.len)
		text_addf(t, "%.*s: %.*s\n", SPAN_ARG(name), SPAN_ARG(value));
	else
		text_add(t, "?\n");
}

/* Blocks of one connection, in order. */
struct example {
	const char *why;
	struct {
		const char *hex;
		const char *want;
	} blocks[4];
};

#define FIRST ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
#define THIRD                                                                                      \
	":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"          \
	"custom-key: custom-value\n"
#define ANSWER(status, date)                                                                       \
	":status: " status "\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:" date " GMT\n" \
	"location: https://www.example.com\n"
#define COOKIE                                                                                     \
	"content-encoding: gzip\n"                                                                 \
	"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"
#define LAST                                                                                       \
	":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"              \
	"location: https://www.example.com\n" COOKIE

static const struct example examples[] = {
	{"C.2.1 literal with indexing",
	 {{"400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header\n"},
	  {"be", "custom-key: custom-header\n"}}},
	{"C.2.2 literal without indexing leaves nothing behind",
	 {{"040c2f73616d706c652f70617468", ":path: /sample/path\n"}, {"be", "?\n"}}},
	{"C.2.3 literal never indexed",
	 {{"100870617373776f726406736563726574", "password: secret\n"}}},
	{"C.2.4 indexed", {{"82", ":method: GET\n"}}},
	{"C.3 requests without Huffman coding",
	 {{"828684410f7777772e6578616d706c652e636f6d", FIRST},
	  {"828684be58086e6f2d6361636865", FIRST "cache-control: no-cache\n"},
	  {"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", THIRD}}},
	{"C.4 requests with Huffman coding",
	 {{"828684418cf1e3c2e5f23a6ba0ab90f4ff", FIRST},
	  {"828684be5886a8eb10649cbf", FIRST "cache-control: no-cache\n"},
	  {"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", THIRD}}},
	{"C.5 responses without Huffman coding, a table of 256 bytes that loses entries",
	 {{"3fe10148033330325807707269766174"
	   "65611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e176874747073"
	   "3a2f2f7777772e6578616d706c652e636f6d",
	   ANSWER("302", "21")},
	  {"4803333037c1c0bf", ANSWER("307", "21")},
	  {"88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a6970"
	   "7738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167"
	   "653d333630303b2076657273696f6e3d31",
	   LAST}}},
	{"C.6 responses with Huffman coding, with a table of 256 bytes that is not announced",
	 {{"488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad17"
	   "1863c78f0b97c8e9ae82ae43d3",
	   ANSWER("302", "21")},
	  {"4883640effc1c0bf", ANSWER("307", "21")},
	  {"88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6"
	   "c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
	   LAST}}},
	{"An entry larger than the table empties it (section 4.4)",
	 {{"400161016240016303646566", "a: b\nc: def\n"},
	  {"3f0140016109616161616161616161", "a: aaaaaaaaa\n"},
	  {"be", "?\n"}}},
	{"A table size update behind a field is an error and empties the table",
	 {{"4001610162", "a: b\n"}, {"823f01", NULL}, {"be", "?\n"}}},
	{"An index of zero is an error", {{"80", NULL}}},
	{"A string longer than the block is an error", {{"4001610562", NULL}}},
	{"An integer without an end is an error", {{"ffffffffffffffff", NULL}}},
	{"An index far behind any table is an error, not memory", {{"ffffff7f", NULL}}},
};

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		struct http2_hpack h = {.memory = &memory};

		for (size_t b = 0; b < 4 && examples[i].blocks[b].hex; b++) {
			const char *want = examples[i].blocks[b].want;
			char bytes[512];
			size_t n = hex_bytes(examples[i].blocks[b].hex, bytes, sizeof(bytes));
			struct text got;
			bool is_pure;
			int err;

			text_init(&got);
			err = http2_hpack_decode(
				&h, guard_put(&guard, (struct span){bytes, n}),
				&(struct http2_fields){add_field, &got, HTTP2_ALL_LENGTHS},
				&is_pure);
			if ((err != 0) != (want == NULL) || (want && strcmp(got.ptr, want) != 0))
				fail_msg("%s, block %zu: %d\n%s", examples[i].why, b, err, got.ptr);
			text_release(&got);
		}
		http2_hpack_release(&h);
	}
	assert_int_equal(table_bytes, 0);
}

/* Every prefix of every block is decoded or rejected without reading behind it. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		char bytes[512];
		size_t n = hex_bytes(examples[i].blocks[0].hex, bytes, sizeof(bytes));

		for (size_t len = 0; len < n; len++) {
			struct http2_hpack h = {.memory = &memory};
			struct text got;
			bool is_pure;

			text_init(&got);
			(void)http2_hpack_decode(
				&h, guard_put(&guard, (struct span){bytes, len}),
				&(struct http2_fields){add_field, &got, HTTP2_ALL_LENGTHS},
				&is_pure); /* either will do */
			text_release(&got);
			http2_hpack_release(&h);
		}
	}
	assert_int_equal(table_bytes, 0);
}

/* --- random header lists ------------------------------------------------------------ */

static uint64_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

struct list {
	nghttp2_nv nv[FIELDS_MAX];
	char bytes[FIELDS_MAX][2][1300];
	size_t count;
};

static void draw_list(struct list *l)
{
	static const char *const names[] = {":path", ":status", "content-type", "grpc-status",
					    "x-a",   "x-b",	"date",		"cookie"};

	l->count = draw(FIELDS_MAX);
	for (size_t i = 0; i < l->count; i++) {
		nghttp2_nv *nv = &l->nv[i];
		size_t len = draw(20) ? draw(30) : draw(1300);

		*nv = (nghttp2_nv){.name = (uint8_t *)l->bytes[i][0],
				   .value = (uint8_t *)l->bytes[i][1],
				   .valuelen = len,
				   .flags = draw(8) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX};
		(void)snprintf(l->bytes[i][0], 64, "%s%s", names[draw(8)], draw(4) ? "" : "-more");
		nv->namelen = strlen(l->bytes[i][0]);
		/* Few values, so that many are repeated. */
		memset(l->bytes[i][1], (int)('a' + draw(3)), sizeof(l->bytes[i][1]));
	}
}

struct compare {
	const struct list *want;
	size_t at;
	size_t known;
	bool may_be_unknown;
};

static void compare_field(void *ctx, struct span name, struct span value)
{
	struct compare *c = ctx;
	const nghttp2_nv *nv = &c->want->nv[c->at++];

	assert_true(c->at <= c->want->count);
	if (name.len == 0 && c->may_be_unknown)
		return;
	c->known++;
	assert_true(span_eq(name, (struct span){(const char *)nv->name, nv->namelen}));
	assert_true(span_eq(value, (struct span){(const char *)nv->value, nv->valuelen}));
}

/* Blocks missed per 1000, and whether the beginning is seen. */
struct plan {
	const char *why;
	unsigned first; /* block that is the first to be seen */
	unsigned missed; /* of 1000 blocks */
	bool sizes_change;
};

/* Returns the share of fields that were known, in percent, of the last half of the blocks. */
static unsigned run_plan(const struct plan *p, unsigned blocks)
{
	static struct list list;
	static uint8_t out[64 << 10];
	struct http2_hpack h = {.memory = &memory};
	nghttp2_hd_deflater *deflater;
	bool is_joined = p->first > 0;
	size_t fields = 0;
	size_t known = 0;

	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 65536), 0);
	if (is_joined)
		http2_hpack_forget(&h);
	for (unsigned b = 0; b < blocks; b++) {
		struct compare c = {.want = &list, .may_be_unknown = is_joined};
		bool is_pure;
		ssize_t n;

		draw_list(&list);
		if (p->sizes_change && draw(10) == 0)
			(void)nghttp2_hd_deflate_change_table_size(
				deflater, draw(3) ? draw(9000) : draw(2) * 65536); /* 0 or more */
		n = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), list.nv, list.count);
		assert_true(n >= 0);
		if (b < p->first)
			continue;
		if (draw(1000) < p->missed) {
			http2_hpack_forget(&h);
			is_joined = true;
			continue;
		}
		if (http2_hpack_decode(&h, guard_put(&guard, (struct span){(char *)out, (size_t)n}),
				       &(struct http2_fields){compare_field, &c, HTTP2_ALL_LENGTHS},
				       &is_pure) != 0) {
			/* Only with an unknown table size can a known entry be unknown to us. */
			assert_true(is_joined);
			continue;
		}
		assert_int_equal(c.at, list.count);
		if (b >= blocks / 2) {
			fields += list.count;
			known += c.known;
		}
	}
	nghttp2_hd_deflate_del(deflater);
	http2_hpack_release(&h);
	assert_int_equal(table_bytes, 0);
	return (unsigned)(known * 100 / fields);
}

static void test_random(void **state)
{
	static const struct plan plans[] = {
		{"from the start", 0, 0, false},
		{"from the start, the table changes its size", 0, 0, true},
		{"joined", 7, 0, false},
		{"joined, the table changes its size", 30, 0, true},
		{"blocks are missed", 0, 30, false},
		{"blocks are missed, and the table changes its size", 0, 30, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
		for (seed = 1; seed < 40; seed++) {
			uint64_t number = seed;
			unsigned share = run_plan(&plans[i], 300);

			if (share < (plans[i].missed ? 50 : plans[i].first ? 80 : 100))
				fail_msg("%s, seed %llu: %u %% known", plans[i].why,
					 (unsigned long long)number, share);
			seed = number;
		}
	}
}

/* An entry counts from the newest, so what a peer inserts after we joined is known at once. */
static void test_joined_fields(void **state)
{
	static const struct {
		const char *hex;
		const char *want;
	} blocks[] = {
		{"82c886bf", ":method: GET\n?\n:scheme: http\n?\n"},
		{"4001610162bec0", "a: b\na: b\n?\n"},
		{"bebf4001630164bfbe", "a: b\n?\nc: d\na: b\nc: d\n"},
		{"7f010165bebf",
		 "?\n?\nc: d\n"}, /* a name that is unknown, with a value that is not */
		{"2040016601673fe11fbe", NULL},
		{"203fe11f4001660167be",
		 "f: g\nf: g\n"}, /* emptied: all of it is known from here */
	};
	struct http2_hpack h = {.memory = &memory};

	(void)state;
	http2_hpack_forget(&h);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		char bytes[64];
		size_t n = hex_bytes(blocks[i].hex, bytes, sizeof(bytes));
		struct text got;
		bool is_pure;
		int err;

		text_init(&got);
		err = http2_hpack_decode(&h, (struct span){bytes, n},
					 &(struct http2_fields){add_field, &got, HTTP2_ALL_LENGTHS},
					 &is_pure);
		assert_int_equal(err != 0, blocks[i].want == NULL);
		if (blocks[i].want)
			assert_string_equal(got.ptr, blocks[i].want);
		text_release(&got);
	}
	http2_hpack_release(&h);
}

/* Memory has a cap, and reaching it costs what is known, nothing else. */
static void test_memory(void **state)
{
	struct memory_budget budget;
	struct memory_account poor = {.budget = &budget};
	struct http2_memory small;
	size_t total = 0;
	struct http2_hpack h = {.memory = &small};
	char block[9] = "\x40\x02xx\x04yyyy";
	unsigned failed = 0;

	(void)state;
	memory_budget_init(&budget, 1024 * MEMORY_SHARES);
	small = (struct http2_memory){&poor, &total};
	for (unsigned i = 0; i < 1000; i++) {
		struct text got;
		bool is_pure;
		int err;

		text_init(&got);
		block[2] = (char)('a' + i % 26);
		block[3] = (char)('a' + i / 26 % 26);
		err = http2_hpack_decode(&h, (struct span){block, sizeof(block)},
					 &(struct http2_fields){add_field, &got, HTTP2_ALL_LENGTHS},
					 &is_pure);
		failed += err != 0;
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(poor.used <= 1024 + 64);
		assert_true(total <= poor.used);
		text_release(&got);
	}
	assert_in_range(failed, 1, 100);
	http2_hpack_release(&h);
	assert_int_equal(total, 0);
	assert_int_equal(poor.used, 0);
	assert_int_equal(budget.used, 0);
	assert_true(budget.refused > 0);
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
		cmocka_unit_test(test_examples), cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_random),	 cmocka_unit_test(test_joined_fields),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("http2_hpack", tests, set_up, NULL);
}
