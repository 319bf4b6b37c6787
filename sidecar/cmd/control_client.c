/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/control_socket.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* A line that is longer is no line of ours. */
#define LINE_MAX_BYTES (1u << 20)

struct control_call {
	struct control_question q; /* without path */
	const char *socket;
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

bool control_call_is_answered(struct control_call *c)
{
	long status = 0;

	return curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
	       status == 200;
}

/* Of an answer that says what is wrong, the line stays where it is. */
static void end_line(struct control_call *c)
{
	if (!control_call_is_answered(c))
		return;
	if (c->line.len && !c->is_enough)
		c->is_enough = !c->q.line(c->q.ctx, text_span(&c->line));
	text_clear(&c->line);
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
	struct control_call *c = ctx;
	struct span rest = {data, size * count};

	while (rest.len && !c->is_enough) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

		text_add_span(&c->line, (struct span){rest.ptr, len});
		c->is_too_long = c->line.len > LINE_MAX_BYTES || c->line.has_failed;
		if (c->is_too_long)
			return 0;
		if (end)
			end_line(c);
		rest = span_from(rest, len + (end != NULL));
	}
	if (control_call_is_answered(c) && !c->is_enough)
		c->is_enough = !c->q.pause(c->q.ctx);
	return c->is_enough ? 0 : size * count;
}

static int on_progress(void *ctx, curl_off_t to_read, curl_off_t was_read, curl_off_t to_send,
		       curl_off_t was_sent)
{
	struct control_call *c = ctx;

	(void)to_read;
	(void)was_read;
	(void)to_send;
	(void)was_sent;
	c->is_enough |= c->q.is_over(c->q.ctx);
	return c->is_enough;
}

static int fail_connect(const struct control_call *c)
{
	const char *command = c->q.command;
	const char *socket = c->socket;
	int err;

	if (c->q.is_own)
		return EXIT_USE;
	err = access(socket, R_OK | W_OK) ? errno : ECONNREFUSED;
	if (err == ECONNREFUSED)
		log_error("%s: nobody answers at %s: the sidecar that made it is gone", command,
			  socket);
	else if (err == EACCES)
		log_error("%s: %s: only the user that runs the sidecar may read it", command,
			  socket);
	else
		log_error("%s: no sidecar has a control socket at %s; in a Pod, run this in its "
			  "container (kubectl exec POD -c sidelight -- sidelight %s), elsewhere "
			  "give the --control PATH that \"sidelight run\" has, or --pid N or "
			  "--cgroup DIR to watch without one",
			  command, socket, command);
	return EXIT_USE;
}

int control_call_result(struct control_call *c, CURLcode code)
{
	bool is_answered = control_call_is_answered(c);

	if (c->is_enough || (code == CURLE_OPERATION_TIMEDOUT && c->q.for_ms && is_answered))
		return 0;
	if (code == CURLE_COULDNT_CONNECT)
		return fail_connect(c);
	if (code == CURLE_OK && is_answered)
		return 0;
	if (code == CURLE_OK && c->line.len) {
		log_error("%s: %s", c->q.command, c->line.ptr);
		return EXIT_USE;
	}
	if (c->is_too_long || !c->q.is_own)
		log_error("%s: the answer broke off (%s)", c->q.command,
			  c->is_too_long ? "a line is too long" : curl_easy_strerror(code));
	return EXIT_INCOMPLETE;
}

struct control_call *control_call_new(const struct control_question *q)
{
	struct control_call *c = calloc(1, sizeof(*c));
	struct text url;

	if (!c)
		return NULL;
	c->easy = curl_easy_init();
	if (!c->easy) {
		free(c);
		return NULL;
	}
	c->q = *q;
	c->q.path = NULL;
	c->socket = q->socket ? q->socket : CONTROL_PATH;
	text_init(&c->line);
	text_init(&url);
	text_addf(&url, "http://localhost%s", q->path);
	/* Checked by the transfer: without one of them it fails. */
	(void)curl_easy_setopt(c->easy, CURLOPT_URL, url.ptr);
	if (*c->socket == '@')
		(void)curl_easy_setopt(c->easy, CURLOPT_ABSTRACT_UNIX_SOCKET, c->socket + 1);
	else
		(void)curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)q->for_ms);
	(void)curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	if (q->is_over) {
		(void)curl_easy_setopt(c->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		(void)curl_easy_setopt(c->easy, CURLOPT_XFERINFODATA, c);
		(void)curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, 0L);
	}
	text_release(&url);
	return c;
}

void control_call_free(struct control_call *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->easy);
	text_release(&c->line);
	free(c);
}

CURL *control_call_handle(struct control_call *c)
{
	return c->easy;
}

const char *control_call_refusal(const struct control_call *c)
{
	return c->line.ptr;
}

int control_ask(const struct control_question *q)
{
	struct control_call *c = control_call_new(q);
	int ret;

	if (!c) {
		log_error("%s: out of memory", q->command);
		return EXIT_USE;
	}
	ret = control_call_result(c, curl_easy_perform(c->easy));
	control_call_free(c);
	return ret;
}
