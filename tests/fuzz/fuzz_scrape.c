/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of /metrics sends: the input, as one stream of bytes after which it closes its
 * side, to the real server; and as the values of its Accept fields. It holds that
 *   - whatever comes back is HTTP;
 *   - the server can be closed at any moment, and leaves no memory behind.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/accept.h"
#include "export/scrape.h"
#include "fuzz.h"

#define REQUEST_MAX 60000 /* what the socket holds */
#define ROUNDS_MAX  50 /* of the loop, with nothing to read: the request is not whole */

static int connect_to(uint16_t port)
{
	const struct linger at_once = {.l_onoff = 1}; /* leaves no socket in TIME_WAIT */
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fuzz_check(fd >= 0);
	fuzz_check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	fuzz_check(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* The first bytes of what comes back; 0: nothing. The rest is read, and thrown away. */
static size_t exchange(uv_loop_t *loop, int fd, char *first, size_t size)
{
	char buf[16384];
	size_t got = 0;
	ssize_t n = -1;

	for (int rounds = 0; rounds < ROUNDS_MAX && n != 0; rounds++) {
		(void)uv_run(loop, UV_RUN_NOWAIT); /* handles stay active */
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return got;
		for (ssize_t i = 0; i < n && got < size; i++)
			first[got++] = buf[i];
		if (n > 0)
			rounds = 0;
	}
	return got;
}

static void check_accept(const uint8_t *data, size_t size)
{
	char *value = strndup((const char *)data, size);
	enum page_format format;
	enum accept_coding coding;

	fuzz_check(value);
	format = accept_format(value);
	coding = accept_coding(value);
	fuzz_check(format == PAGE_TEXT || strstr(value, "/"));
	fuzz_check(coding != ACCEPT_NOTHING || strchr(value, '='));
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct family_desc desc = {
		.name = "x_total", .help = "Help.", .type = METRIC_COUNTER};
	struct registry *registry = registry_new(2);
	struct scrape_options options = {
		.listen = "127.0.0.1:0", .registry = registry, .max_age_ms = 1000};
	struct scrape *scrape;
	const char *error = "";
	char first[7];
	uv_loop_t loop;
	size_t got;
	int fd;

	check_accept(data, size);
	fuzz_check(registry && size <= SIZE_MAX / 2);
	if (size > REQUEST_MAX)
		size = REQUEST_MAX;
	(void)family_series(registry_family(registry, &desc), NULL);
	fuzz_check(uv_loop_init(&loop) == 0);
	scrape = scrape_new(&loop, &options, &error);
	fuzz_check(scrape);
	fd = connect_to(scrape_port(scrape));
	fuzz_check(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
	fuzz_check(shutdown(fd, SHUT_WR) == 0);
	got = exchange(&loop, fd, first, sizeof(first));
	fuzz_check(got == 0 || (got == sizeof(first) && memcmp(first, "HTTP/1.", got) == 0));
	(void)close(fd);
	scrape_close(scrape);
	(void)uv_run(&loop, UV_RUN_DEFAULT); /* lets closed handles go */
	fuzz_check(uv_loop_close(&loop) == 0);
	registry_free(registry);
	return 0;
}
