/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export/push_format: which format each push has, by what came of those before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "export/push_format.h"
#include "tests/unit/guard.h"

#define STATUS_1_5                                                                                 \
	"{\"status\":\"success\",\"data\":{\"build_information\":{\"branch\":\"debian/sid\","      \
	"\"version\":\"1.5.1\"},\"flags\":{\"log.format\":\"logfmt\",\"persistence.file\":\"\","   \
	"\"persistence.interval\":\"5m0s\",\"web.telemetry-path\":\"/metrics\"},"                  \
	"\"start_time\":\"2026-11-30T02:49:24.208115595Z\"}}"

/*
 * Pushes: a accepted (200), 2 accepted (202), 4 accepted (204), r rejected (400), e empty reply,
 * f failed (503), c connection refused, t timeout. After an accepted push the gateway is asked, if
 * it is to be: by then P says that it is a Pushgateway, N that it is something else, and neither
 * that it is silent; a letter holds until the next one.
 */
static const struct {
	const char *why;
	bool needs_protobuf;
	const char *events;
	const char *want; /* format of each push, t or p; ? where the gateway was asked after it */
	bool gives_up;
} rows[] = {
	{"the first push is text, whoever it is for", false, "P aaa", "t?pp", false},
	{"a gateway of before 1.0", false, "P 222", "t?pp", false},
	{"not a Pushgateway: asked after 1, 4, 16 pushes", false, "N aaaaaaaaaaaaaaaaa",
	 "t?ttt?tttttttttttt?t", false},
	{"silent, then it tells", false, "aaP aaaa", "t?ttt?pp", false},
	{"nothing is asked before a push was accepted", false, "P ccrtfaa",
	 "ttttt"
	 "t?p",
	 false},
	{"who comes back may be another program", false, "P aacN aaa",
	 "t?p"
	 "pt?tt",
	 false},
	{"who comes back is the same", false, "P aacaa",
	 "t?p"
	 "pt?p",
	 false},
	{"a timeout is no refusal", false, "P aatataa", "t?ppt?pt?p", false},
	{"refused twice: text for good", false, "P araraaaaa",
	 "t?pt?pt"
	 "tttt",
	 true},
	{"an empty reply is a refusal", false, "P aeaeaa",
	 "t?pt?pt"
	 "t",
	 true},
	{"and so is a failure that text does not have", false, "P afafaa",
	 "t?pt?pt"
	 "t",
	 true},
	{"and an answer that no Pushgateway gives", false, "P a4a4aa",
	 "t?pt?pt"
	 "t",
	 true},
	{"the text is refused, too: the content is at fault", false, "P arrrrraaaa",
	 "t?ptttt"
	 "t?ppp",
	 false},
	{"refused again after protobuf was accepted", false, "P araaraa", "t?pt?ppt?p", false},
	{"native histograms have no text", true, "P arfc4a", "pppppp", false},
};

static enum push_result result_of(char event)
{
	switch (event) {
	case 'r':
	case 'e':
		return PUSH_REJECTED;
	case 'f':
		return PUSH_FAILED;
	case 'c':
		return PUSH_REFUSED;
	case 't':
		return PUSH_TIMEOUT;
	default:
		return PUSH_OK;
	}
}

static long status_of(char event)
{
	switch (event) {
	case 'a':
		return 200;
	case '2':
		return 202;
	case '4':
		return 204;
	case 'r':
		return 400;
	case 'f':
		return 503;
	default:
		return 0;
	}
}

static void ask(struct push_format *f, const char *status)
{
	push_format_begin_status(f);
	if (status)
		assert_true(push_format_read_status(f, span_of(status)));
	push_format_end_status(f, status != NULL);
}

static void test_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *status = NULL;
		struct push_format f;
		char have[64] = "";
		size_t n = 0;
		bool gave_up = false;

		push_format_init(&f, rows[i].needs_protobuf);
		for (const char *e = rows[i].events; *e; e++) {
			if (*e == ' ')
				continue;
			if (*e == 'P' || *e == 'N') {
				status = *e == 'P' ? STATUS_1_5 : "{\"status\":\"success\"}";
				continue;
			}
			have[n++] = push_format_page(&f) == PAGE_PROTOBUF ? 'p' : 't';
			gave_up |= push_format_ended(&f, result_of(*e), status_of(*e));
			if (result_of(*e) == PUSH_OK && push_format_asks(&f)) {
				have[n++] = '?';
				ask(&f, status);
			}
		}
		push_format_release(&f);
		if (strcmp(have, rows[i].want) != 0 || gave_up != rows[i].gives_up)
			fail_msg("%s: %s%s", rows[i].why, have, gave_up ? ", gives up" : "");
	}
}

static bool is_pushgateway(const char *text, size_t step, bool is_complete)
{
	static struct guard guard;
	size_t len = strlen(text);
	struct push_format f;
	bool is_one;

	push_format_init(&f, false);
	(void)push_format_ended(&f, PUSH_OK, 200);
	push_format_begin_status(&f);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		char *copy = guard_room(&guard, n);

		memcpy(copy, text + at, n);
		if (!push_format_read_status(&f, (struct span){copy, n})) {
			is_complete = false;
			break;
		}
	}
	push_format_end_status(&f, is_complete);
	is_one = push_format_page(&f) == PAGE_PROTOBUF;
	push_format_release(&f);
	return is_one;
}

static void test_statuses(void **state)
{
	static const struct {
		const char *why;
		const char *text;
		bool want;
	} statuses[] = {
		{"of Debian 12", STATUS_1_5, true},
		{"nothing", "", false},
		{"another API's", "{\"status\":\"success\",\"data\":{\"version\":\"1.5.1\"}}",
		 false},
		{"Prometheus' own", "{\"status\":\"success\",\"data\":{\"build_information\":{}}}",
		 false},
		{"flags of something else",
		 "{\"status\":\"success\",\"data\":{\"flags\":{\"persistence.interval\":\"5m\"}}}",
		 false},
		{"a page about Pushgateways", "<p>build_information and persistence.interval</p>",
		 false},
	};
	static char endless[2 * GATEWAY_STATUS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const size_t steps[] = {1, 7, SIZE_MAX};

		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
			if (is_pushgateway(statuses[i].text, steps[s], true) != statuses[i].want)
				fail_msg("%s", statuses[i].why);
		assert_false(is_pushgateway(statuses[i].text, SIZE_MAX, false));
	}
	memset(endless, ' ', sizeof(endless) - 1);
	memcpy(endless, STATUS_1_5, strlen(STATUS_1_5));
	assert_false(is_pushgateway(endless, 1000, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
