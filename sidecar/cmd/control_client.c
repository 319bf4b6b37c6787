/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/control_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/control_socket.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* A line that is longer is no line of ours. */
#define LINE_MAX_BYTES (1u << 20)

struct asking {
	const struct control_question *q;
	CURL *easy;
	struct text line; /* the part that has come */
	bool is_enough;
	bool is_too_long;
};

void control_parameter(struct text *path, const char *key, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!value)
		return;
	text_add_char(path, memchr(path->ptr, '?', path->len) ? '&' : '?');
	text_add(path, key);
	text_add_char(path, '=');
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
			text_add_char(path, *value);
		} else {
			text_add_char(path, '%');
			text_add_char(path, hex[c >> 4]);
			text_add_char(path, hex[c & 15]);
		}
	}
}

static bool is_answered(struct asking *a)
{
	long status = 0;

	return curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
	       status == 200;
}

/* Of an answer that says what is wrong, the line stays where it is. */
static void end_line(struct asking *a)
{
	if (!is_answered(a))
		return;
	if (a->line.len && !a->is_enough)
		a->is_enough = !a->q->line(a->q->ctx, text_span(&a->line));
	text_clear(&a->line);
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
	struct asking *a = ctx;
	struct span rest = {data, size * count};

	while (rest.len && !a->is_enough) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

		text_add_span(&a->line, (struct span){rest.ptr, len});
		a->is_too_long = a->line.len > LINE_MAX_BYTES || a->line.has_failed;
		if (a->is_too_long)
			return 0;
		if (end)
			end_line(a);
		rest = span_from(rest, len + (end != NULL));
	}
	if (is_answered(a) && !a->is_enough)
		a->is_enough = !a->q->pause(a->q->ctx);
	return a->is_enough ? 0 : size * count;
}

static int fail_connect(const struct control_question *q, const char *socket)
{
	int err = access(socket, R_OK | W_OK) ? errno : ECONNREFUSED;

	if (err == ECONNREFUSED)
		log_error("%s: nobody answers at %s: the sidecar that made it is gone", q->command,
			  socket);
	else if (err == EACCES)
		log_error("%s: %s: only the user that runs the sidecar may read it", q->command,
			  socket);
	else
		log_error("%s: no sidecar has a control socket at %s; in a Pod, run this in its "
			  "container (kubectl exec POD -c sidelight -- sidelight %s), elsewhere "
			  "give the --control PATH that \"sidelight run\" has",
			  q->command, socket, q->command);
	return EXIT_USE;
}

static int result(struct asking *a, CURLcode code, const char *socket)
{
	const struct control_question *q = a->q;

	if (a->is_enough || (code == CURLE_OPERATION_TIMEDOUT && q->for_ms && is_answered(a)))
		return 0;
	if (code == CURLE_COULDNT_CONNECT)
		return fail_connect(q, socket);
	if (code == CURLE_OK && is_answered(a))
		return 0;
	if (code == CURLE_OK && a->line.len) {
		log_error("%s: %s", q->command, a->line.ptr);
		return EXIT_USE;
	}
	log_error("%s: the answer broke off (%s)", q->command,
		  a->is_too_long ? "a line is too long" : curl_easy_strerror(code));
	return EXIT_INCOMPLETE;
}

int control_ask(const struct control_question *q)
{
	const char *socket = q->socket ? q->socket : CONTROL_PATH;
	struct asking a = {.q = q, .easy = curl_easy_init()};
	struct text url;
	CURLcode code;
	int ret;

	if (!a.easy) {
		log_error("%s: out of memory", q->command);
		return EXIT_USE;
	}
	text_init(&a.line);
	text_init(&url);
	text_addf(&url, "http://localhost%s", q->path);
	/* Checked by the transfer: without one of them it fails. */
	(void)curl_easy_setopt(a.easy, CURLOPT_URL, url.ptr);
	(void)curl_easy_setopt(a.easy, CURLOPT_UNIX_SOCKET_PATH, socket);
	(void)curl_easy_setopt(a.easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(a.easy, CURLOPT_TIMEOUT_MS, (long)q->for_ms);
	(void)curl_easy_setopt(a.easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(a.easy, CURLOPT_WRITEDATA, &a);
	code = curl_easy_perform(a.easy);
	ret = result(&a, code, socket);
	text_release(&a.line);
	text_release(&url);
	curl_easy_cleanup(a.easy);
	return ret;
}
