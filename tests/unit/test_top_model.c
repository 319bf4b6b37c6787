/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd/top_model, top_rows, grid and top_page: what keys do to what `sidelight top` shows, on
 * screens of any size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cmd/top_page.h"

/* Keys that are no characters, in the scripts below. */
static const struct {
	char letter;
	int key;
} special[] = {{'\1', TOP_KEY_UP},     {'\2', TOP_KEY_DOWN},	  {'\3', TOP_KEY_ENTER},
	       {'\4', TOP_KEY_ESCAPE}, {'\5', TOP_KEY_BACKSPACE}, {'\6', TOP_KEY_RIGHT}};
#define UP     "\1"
#define DOWN   "\2"
#define ENTER  "\3"
#define ESCAPE "\4"
#define BACK   "\5"
#define RIGHT  "\6"

static const char window[] =
	"{\"seconds\":1.0,\"requests\":110,\"requests_open\":2,\"connections_open\":3,\"by\":"
	"\"route\",\"routes\":["
	"{\"role\":\"server\",\"method\":\"GET\",\"route\":\"/many\",\"requests\":100,\"rate\":100,"
	"\"errors\":0,\"open\":0,\"p50_ns\":1000,\"p90_ns\":2000,\"p99_ns\":3000,\"max_ns\":4000,"
	"\"request_bytes\":0,\"response_bytes\":5000},"
	"{\"role\":\"server\",\"method\":\"POST\",\"route\":\"/slow\",\"requests\":4,\"rate\":4,"
	"\"errors\":1,\"open\":2,\"p50_ns\":5,\"p90_ns\":6,\"p99_ns\":90000000,\"max_ns\":91000000,"
	"\"request_bytes\":1500000,\"response_bytes\":0},"
	"{\"role\":\"client\",\"method\":\"GET\",\"route\":\"/asked,\\\\x1b?\",\"requests\":6,"
	"\"rate\":6,\"errors\":3,\"open\":0,\"p50_ns\":7,\"p90_ns\":8,\"p99_ns\":9,\"max_ns\":9,"
	"\"request_bytes\":0,\"response_bytes\":0},"
	"{\"role\":\"server\",\"method\":\"GET\",\"route\":\"/hangs\",\"requests\":0,\"rate\":0,"
	"\"errors\":0,\"open\":1,\"p50_ns\":null,\"p90_ns\":null,\"p99_ns\":null,\"max_ns\":null,"
	"\"request_bytes\":0,\"response_bytes\":0}]}";

static const char request[] =
	"{\"time\":\"2026-01-02T15:04:05.123456789Z\",\"role\":\"server\",\"client\":"
	"\"10.0.0.7:41000\",\"server\":\"10.0.0.1:80\",\"method\":\"GET\",\"target\":\"/t/%d\","
	"\"route\":\"/t/{id}\",\"status\":%d,\"error\":null,\"duration_ns\":1200000,"
	"\"first_byte_ns\":800000,\"response_bytes\":12}";

static unsigned press(struct top_model *m, const char *keys)
{
	unsigned wishes = 0;

	for (; *keys; keys++) {
		int key = (unsigned char)*keys;

		for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
			if (special[i].letter == *keys)
				key = special[i].key;
		wishes |= top_model_key(m, key, 10);
	}
	return wishes;
}

static void feed(struct top_model *m, const char *line)
{
	assert_true(top_model_window(m, span_of(line)));
}

static void ask(struct top_model *m, int number, int status)
{
	char line[sizeof(request) + 32];

	(void)snprintf(line, sizeof(line), request, number, status);
	assert_true(top_model_request(m, span_of(line)));
	grid_arrange(&m->requests);
}

/* Names of the rows that are shown, with a mark at the selected one. */
static const char *names(struct top_model *m)
{
	static char out[512];
	const struct grid *g = top_model_grid(m);

	out[0] = '\0';
	for (size_t i = 0; i < g->shown_count; i++) {
		(void)strcat(out, i ? " " : "");
		(void)strcat(out, g->shown[i] == grid_selected(g) ? "=" : "");
		(void)strcat(out, g->shown[i]->name);
	}
	return out;
}

static void test_keys(void **state)
{
	static const struct {
		const char *why;
		const char *keys;
		const char *want;
		unsigned wishes;
	} rows[] = {
		{"the most requests come first", "", "=/many > /asked,\\x1b? /slow /hangs", 0},
		{"the next column are errors", ">", "=> /asked,\\x1b? /slow /hangs /many", 0},
		{"an arrow does the same", RIGHT, "=> /asked,\\x1b? /slow /hangs /many", 0},
		{"the other way round", "r", "=/hangs /slow > /asked,\\x1b? /many", 0},
		{"by name, the smallest first", "<", "=/hangs /many /slow > /asked,\\x1b?", 0},
		{"P99 are four to the right", ">>>>", "=/slow /many > /asked,\\x1b? /hangs", 0},
		{"the selection goes down", DOWN DOWN, "/many > /asked,\\x1b? =/slow /hangs", 0},
		{"and not beyond the last", "G" DOWN "jj", "/many > /asked,\\x1b? /slow =/hangs",
		 0},
		{"it follows its row", DOWN DOWN ">", "> /asked,\\x1b? =/slow /hangs /many", 0},
		{"a filter, in any case", "/SL", "=/slow", 0},
		{"that loses a letter", "/slx" BACK, "=/slow", 0},
		{"matches methods, too", "/post" ENTER, "=/slow", 0},
		{"letters of a filter are no commands", "/qqq", "", 0},
		{"Escape ends it", "/sl" ESCAPE, "=/many > /asked,\\x1b? /slow /hangs", 0},
		{"and after Enter", "/sl" ENTER ESCAPE, "=/many > /asked,\\x1b? /slow /hangs", 0},
		{"keys after the filter", "/sl" ENTER "q", "=/slow", TOP_QUIT},
		{"quit", "q", "=/many > /asked,\\x1b? /slow /hangs", TOP_QUIT},
		{"from help, any key goes back", "hx", "=/many > /asked,\\x1b? /slow /hangs", 0},
		{"but q quits", "?q", "=/many > /asked,\\x1b? /slow /hangs", TOP_QUIT},
		{"Enter asks for requests", ENTER, "", TOP_ASK_REQUESTS},
		{"Escape comes back", ENTER ESCAPE, "=/many > /asked,\\x1b? /slow /hangs",
		 TOP_ASK_REQUESTS | TOP_END_REQUESTS},
		{"another view is another question", "v", "", TOP_ASK_WINDOWS},
		{"the same view is not", "1", "=/many > /asked,\\x1b? /slow /hangs", 0},
		{"of nothing there are no requests", "/none" ENTER ENTER, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct top_model m;
		unsigned wishes;

		top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
		feed(&m, window);
		wishes = press(&m, rows[i].keys);
		if (strcmp(names(&m), rows[i].want) != 0 || wishes != rows[i].wishes)
			fail_msg("%s: %s, wishes %u", rows[i].why, names(&m), wishes);
		top_model_release(&m);
	}
}

static void check_path(const char *keys, const char *windows, const char *requests)
{
	struct top_model m;
	struct text path;

	top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
	feed(&m, window);
	(void)press(&m, keys);
	text_init(&path);
	top_model_windows_path(&m, &path);
	assert_string_equal(path.ptr, windows);
	text_clear(&path);
	top_model_requests_path(&m, &path);
	assert_string_equal(path.ptr, requests);
	text_release(&path);
	top_model_release(&m);
}

static void test_questions(void **state)
{
	(void)state;
	check_path(ENTER, "/routes?follow=1&for=1s&by=route",
		   "/requests?past=1&follow=1&route=%2Fmany&method=GET&try-headers=all");
	/* A comma would be a list, and what was escaped is not known as it was. */
	check_path(DOWN ENTER, "/routes?follow=1&for=1s&by=route",
		   "/requests?past=1&follow=1&route=%2Fasked%2A%2A%3F&method=GET&try-headers=all");
	check_path("v", "/routes?follow=1&for=1s&by=peer",
		   "/requests?past=1&follow=1&try-headers=all");
}

/* Names of processes are those of now. */
static void test_processes(void **state)
{
	char line[1024];
	char want[128];
	struct top_model m;
	struct text path;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
	assert_int_equal(press(&m, "4"), TOP_ASK_WINDOWS);
	(void)snprintf(
		line, sizeof(line),
		"{\"routes\":[{\"role\":\"server\",\"process\":%d,\"thread\":7,\"requests\":3},"
		"{\"role\":\"server\",\"process\":null,\"thread\":null,\"requests\":2},"
		"{\"role\":\"server\",\"process\":null,\"is_rest\":true,\"requests\":1}]}",
		(int)getpid());
	feed(&m, line);
	(void)snprintf(want, sizeof(want), "=test_top_model/%d/7 not known _OTHER", (int)getpid());
	assert_string_equal(names(&m), want);
	assert_int_equal(press(&m, ENTER), TOP_ASK_REQUESTS);
	text_init(&path);
	top_model_requests_path(&m, &path);
	assert_string_equal(path.ptr, "/requests?past=1&follow=1&thread=7&try-headers=all");
	text_release(&path);
	top_model_release(&m);
}

static const char connections[] =
	"{\"connections_open\":5,\"left_out\":2,\"complete\":true,\"connections\":["
	"{\"role\":\"server\",\"conn\":\"a\",\"container\":\"web\",\"peer\":\"10.0.0.7:41000\","
	"\"local\":\"10.0.0.1:80\",\"age_ns\":3000000000,\"rtt_ns\":120000,\"retransmits\":0,"
	"\"bytes_received\":1,\"bytes_sent\":9000,\"limited_ns\":0,\"zero_window\":null,"
	"\"requests\":3,\"requests_open\":1},"
	"{\"role\":\"client\",\"conn\":null,\"container\":\"web\",\"peer\":\"[::2]:443\","
	"\"local\":\"[::1]:4000\",\"age_ns\":null,\"rtt_ns\":null,\"retransmits\":7,"
	"\"bytes_received\":1,\"bytes_sent\":2,\"limited_ns\":5000000,\"zero_window\":\"peer\","
	"\"requests\":null,\"requests_open\":null},"
	"{\"role\":\"server\",\"peer\":\"10.0.0.8:41000\",\"local\":\"10.0.0.1:80\","
	"\"age_ns\":90000000000,\"rtt_ns\":30000,\"requests\":9}]}";

static void test_connections(void **state)
{
	struct top_model m;
	struct text text;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
	assert_int_equal(press(&m, "5"), TOP_ASK_WINDOWS);
	assert_false(top_model_window(&m, span_of(window)));
	assert_false(top_model_window(&m, span_of("{\"connections\":7}")));
	feed(&m, connections);
	assert_string_equal(names(&m), "=10.0.0.8:41000 10.0.0.7:41000 > [::2]:443");
	(void)press(&m, DOWN);
	text_init(&text);
	top_model_windows_path(&m, &text);
	assert_string_equal(text.ptr, "/connections?follow=1");
	text_clear(&text);
	(void)press(&m, ENTER);
	top_model_requests_path(&m, &text);
	assert_string_equal(
		text.ptr, "/requests?past=1&follow=1&peer=10%2E0%2E0%2E7%3A41000&try-headers=all");
	text_release(&text);
	top_model_release(&m);
}

static void test_order_of_connections(void **state)
{
	static const struct {
		enum top_sort sort;
		const char *want;
	} rows[] = {
		{TOP_SORT_RTT, "=10.0.0.7:41000 10.0.0.8:41000 > [::2]:443"},
		{TOP_SORT_RETRANSMITS, "=> [::2]:443 10.0.0.7:41000 10.0.0.8:41000"},
		{TOP_SORT_AGE, "=10.0.0.8:41000 10.0.0.7:41000 > [::2]:443"},
		{TOP_SORT_BYTES, "=10.0.0.7:41000 > [::2]:443 10.0.0.8:41000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct top_model m;

		top_model_init(&m, TOP_CONNECTIONS, rows[i].sort);
		feed(&m, connections);
		assert_string_equal(names(&m), rows[i].want);
		top_model_release(&m);
	}
}

static void test_requests(void **state)
{
	struct top_model m;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_P99);
	feed(&m, window);
	(void)press(&m, ENTER);
	for (int i = 1; i <= TOP_REQUESTS_MAX + 2; i++)
		ask(&m, i, i == TOP_REQUESTS_MAX ? 503 : 200);
	assert_int_equal(m.requests.shown_count, TOP_REQUESTS_MAX);
	assert_string_equal(m.requests.shown[0]->name, "/t/502");
	assert_string_equal(m.requests.shown[TOP_REQUESTS_MAX - 1]->name, "/t/3");
	assert_true(m.requests.shown[2]->is_bad);
	assert_true(top_model_request(&m, span_of("{\"lost\":7}")));
	assert_int_equal(m.lost, 7);
	/* The selection stays with its request, or with the newest. */
	(void)press(&m, DOWN);
	ask(&m, 600, 200);
	assert_string_equal(grid_selected(&m.requests)->name, "/t/501");
	(void)press(&m, UP UP);
	ask(&m, 601, 200);
	assert_string_equal(grid_selected(&m.requests)->name, "/t/601");
	/* What comes while it is paused is asked for again. */
	(void)press(&m, "p");
	ask(&m, 602, 200);
	assert_string_equal(grid_selected(&m.requests)->name, "/t/601");
	assert_int_equal(press(&m, "p"), TOP_ASK_REQUESTS);
	assert_int_equal(m.requests.shown_count, 0);
	top_model_release(&m);
}

static const char with_headers[] =
	"{\"time\":\"2026-01-02T15:04:05.123456789Z\",\"target\":\"/h\",\"status\":200,"
	"\"request_headers\":[{\"name\":\"x-one\",\"value\":\"1\"},{\"name\":\"a\",\"value\":"
	"\"\\\\x1b\"}],\"response_headers\":[{\"name\":\"server\",\"value\":\"x\"}],"
	"\"request_trailers\":null,\"response_trailers\":[{\"name\":\"grpc-status\",\"value\":"
	"\"0\"}]}";

/* From a request to its header fields and back; what comes meanwhile changes nothing of them. */
static void test_header_fields(void **state)
{
	struct top_model m;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_P99);
	feed(&m, window);
	(void)press(&m, ENTER);
	assert_true(top_model_request(&m, span_of(with_headers)));
	grid_arrange(&m.requests);
	assert_int_equal(press(&m, ENTER), 0);
	assert_string_equal(names(&m), "=1 \\x1b x 0");
	assert_string_equal(top_model_grid(&m)->shown[3]->cell[0], "response trailer");
	assert_string_equal(top_model_grid(&m)->shown[3]->cell[1], "grpc-status");
	ask(&m, 9, 200);
	assert_string_equal(names(&m), "=1 \\x1b x 0");
	assert_int_equal(press(&m, ENTER), 0);
	assert_int_equal(press(&m, ESCAPE), 0);
	assert_string_equal(grid_selected(top_model_grid(&m))->name, "/t/9");
	/* One whose fields were not captured. */
	assert_int_equal(press(&m, ENTER), 0);
	assert_int_equal(top_model_grid(&m)->shown_count, 0);
	assert_int_equal(press(&m, ESCAPE), 0);
	assert_int_equal(press(&m, ESCAPE), TOP_END_REQUESTS);
	assert_string_equal(grid_selected(top_model_grid(&m))->name, "/slow");
	top_model_release(&m);
}

static void test_pause(void **state)
{
	static const char empty[] = "{\"seconds\":1.0,\"requests\":0,\"routes\":[]}";
	struct top_model m;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
	(void)press(&m, "p");
	feed(&m, window); /* the first one comes in any case */
	feed(&m, empty);
	assert_int_equal(m.rows.shown_count, 4);
	(void)press(&m, " ");
	feed(&m, empty);
	assert_int_equal(m.rows.shown_count, 0);
	top_model_release(&m);
}

static void test_garbage(void **state)
{
	static const char *const lines[] = {"", "x", "{}", "[]", "{\"routes\":{}}", "nul"};
	struct top_model m;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(top_model_window(&m, span_of(lines[i])));
	feed(&m, "{\"routes\":[{},{\"role\":7,\"route\":null,\"rate\":\"x\",\"p50_ns\":-1}]}");
	assert_int_equal(m.rows.shown_count, 2);
	top_model_release(&m);
}

struct drawn {
	size_t width;
	size_t count;
	char line[64][256];
};

static void on_line(void *ctx, size_t y, enum top_style style, struct span text)
{
	struct drawn *d = ctx;

	(void)style;
	assert_int_equal(y, d->count);
	assert_true(text.len <= d->width);
	for (size_t i = 0; i < text.len; i++)
		assert_true(text.ptr[i] >= ' ' && text.ptr[i] <= '~');
	if (y < 64)
		(void)snprintf(d->line[y], sizeof(d->line[y]), "%.*s", SPAN_ARG(text));
	d->count++;
}

/* Every size, with rows, requests, help and a filter: each line once, none too long. */
static void test_sizes(void **state)
{
	static const char *const pages[] = {"", "h", "/s", ENTER, "p", "v"};
	static struct drawn d;

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct top_model m;

		top_model_init(&m, TOP_ROUTES, TOP_SORT_REQUESTS);
		feed(&m, window);
		(void)press(&m, pages[i]);
		for (size_t width = 0; width < 250; width++) {
			for (size_t height = 0; height < 40; height += 3) {
				d = (struct drawn){.width = width};
				top_page(&m, width, height, on_line, &d);
				assert_int_equal(d.count, height);
			}
		}
		top_model_release(&m);
	}
}

static void test_page(void **state)
{
	static struct drawn d = {.width = 60};
	struct top_model m;

	(void)state;
	top_model_init(&m, TOP_ROUTES, TOP_SORT_P99);
	top_page(&m, 60, 8, on_line, &d);
	assert_string_equal(d.line[3], "  counting for a second ...");
	feed(&m, window);
	d = (struct drawn){.width = 60};
	top_page(&m, 60, 8, on_line, &d);
	assert_string_equal(d.line[0],
			    "  sidelight top   routes   110.0/s  4 errors  2 open  3 conn");
	d = (struct drawn){.width = 110};
	top_page(&m, 110, 8, on_line, &d);
	assert_string_equal(d.line[2],
			    "  METHOD   ROUTE            RATE/S   ERRORS      P50      P90 "
			    "    P99*      MAX   OPEN    IN/S   OUT/S");
	assert_string_equal(d.line[3],
			    "> POST     /slow               4.0        1     5 ns     6 ns "
			    " 90.0 ms  91.0 ms      2  1.5 MB     0 B");
	assert_string_equal(d.line[6],
			    "  GET      /hangs              0.0        0                   "
			    "                       1     0 B     0 B");
	top_model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_header_fields),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_order_of_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
