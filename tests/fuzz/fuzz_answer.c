/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gateway answers: the input, as one stream of bytes after which it closes, read by the real
 * libcurl with our bounds. It holds that
 *   - there is one outcome, which agrees with the status that libcurl has seen;
 *   - what is logged of it is one line of visible ASCII characters;
 *   - no answer, however long, makes more of it.
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/request.h"
#include "fuzz.h"

#define ANSWER_MAX 100000 /* what a pair of sockets holds */

/* The socket that libcurl gets is connected to ours. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	int *fd = ctx;
	int mine = *fd;

	(void)purpose, (void)address;
	*fd = -1;
	return mine < 0 ? CURL_SOCKET_BAD : mine;
}

static int on_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)ctx, (void)fd, (void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static struct page *some_page(void)
{
	static const struct family_desc desc = {
		.name = "x_total", .help = "Help.", .type = METRIC_COUNTER};
	struct registry *r = registry_new(2);
	struct page *page;

	fuzz_check(r);
	(void)family_series(registry_family(r, &desc), NULL);
	page = page_new(r, PAGE_TEXT, NULL, 0);
	registry_free(r);
	fuzz_check(page);
	return page;
}

/* As an exporter that reads the answer, up to a limit. */
static bool on_part(void *ctx, struct span part)
{
	size_t *bytes = ctx;

	*bytes += part.len;
	return *bytes <= REQUEST_BODY_MAX;
}

static void check_outcome(const struct push_outcome *o)
{
	fuzz_check(o->result >= 0 && o->result < PUSH_RESULT_MAX);
	fuzz_check(strnlen(o->detail, sizeof(o->detail)) < sizeof(o->detail));
	fuzz_check((o->result == PUSH_OK) == (o->detail[0] == '\0'));
	for (const char *c = o->detail; *c; c++)
		fuzz_check(*c >= ' ' && *c <= '~');
	switch (o->result) {
	case PUSH_OK:
		fuzz_check(o->status >= 200 && o->status < 300);
		break;
	case PUSH_REDIRECTED:
		fuzz_check(o->status >= 300 && o->status < 400);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request_options options = {.url = "http://127.0.0.1:9/metrics/job/x"};
	struct request_content content = {.type = TEXT_PROMETHEUS_TYPE};
	size_t answer_bytes = 0;
	struct request *r;
	struct push_outcome o;
	int pair[2];
	CURL *easy;

	if (size < 1 || size > ANSWER_MAX)
		return 0;
	(void)signal(SIGPIPE, SIG_IGN); /* as cmd/run.c does */
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fuzz_check(write(pair[1], data + 1, size - 1) == (ssize_t)size - 1);
	fuzz_check(shutdown(pair[1], SHUT_WR) == 0);
	r = request_new(&options);
	fuzz_check(r);
	content.body = data[0] & 1 ? some_page() : NULL;
	content.method = content.body ? "PUT" : "DELETE";
	content.coding = data[0] & 2 ? PAGE_IDENTITY : PAGE_GZIP;
	if (data[0] & 4) {
		content.part = on_part;
		content.ctx = &answer_bytes;
	}
	easy = request_prepare(r, &content, 5000, &o);
	fuzz_check(easy);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &pair[0]);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_made);
	request_outcome(r, curl_easy_perform(easy), &o);
	check_outcome(&o);
	request_free(r);
	if (pair[0] >= 0)
		(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}
