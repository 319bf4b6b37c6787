/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/gateway.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/group.h"
#include "base/secret.h"
#include "base/text.h"

/* A listing of 2,000 Pods with 2,000 series each is about this long; nobody means more. */
#define LISTING_MAX (UINT64_C(4) << 30)
/* Time for all of it, at 7 MB a second. */
#define LISTING_MS 600000L
/* Bytes of a body per second, over the time that --timeout gives: slower is as good as silent. */
#define SPEED_MIN 1000L

/* Of an answer: its header fields, interim answers and trailers included, which libcurl stores
 * until the transfer ends; and its body, when nobody wants it. */
#define FIELDS_MAX 65536u
#define BODY_MAX   65536u

struct gateway {
	struct gateway_options options;
	CURL *easy;
	struct curl_slist *fields;
	struct listing *listing; /* NULL: the answer's body is of no interest */
	int listing_error;
	uint64_t listed_bytes;
	size_t field_bytes;
	size_t body_bytes; /* of no interest */
	double *now_s; /* from the Date of an answer that is a list */
	char words[CURL_ERROR_SIZE];
	char error[CURL_ERROR_SIZE + 64];
};

struct gateway *gateway_new(const struct gateway_options *options)
{
	struct gateway *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->options = *options;
	g->easy = curl_easy_init();
	if (!g->easy) {
		gateway_free(g);
		return NULL;
	}
	return g;
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	curl_easy_cleanup(g->easy);
	curl_slist_free_all(g->fields);
	free(g);
}

const char *gateway_error(const struct gateway *g)
{
	return g->error;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct gateway *g = ctx;
	size_t len = size * count;
	long status = 0;

	(void)curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!g->listing || status != 200) {
		g->body_bytes += len;
		return g->body_bytes > BODY_MAX ? CURL_WRITEFUNC_ERROR : len;
	}
	g->listed_bytes += len;
	if (*g->now_s <= 0)
		g->listing_error = -ENOENT;
	else if (g->listed_bytes > LISTING_MAX)
		g->listing_error = -EFBIG;
	else
		g->listing_error = listing_feed(g->listing, data, len);
	return g->listing_error ? CURL_WRITEFUNC_ERROR : len;
}

static size_t on_field(char *data, size_t size, size_t count, void *ctx)
{
	static const char name[] = "date:";
	struct gateway *g = ctx;
	size_t len = size * count;
	char value[64];
	time_t seconds;

	g->field_bytes += len;
	if (g->field_bytes > FIELDS_MAX)
		return CURL_WRITEFUNC_ERROR;
	if (len > sizeof(name) && len < sizeof(value) &&
	    strncasecmp(data, name, sizeof(name) - 1) == 0) {
		(void)snprintf(value, sizeof(value), "%.*s", (int)(len - sizeof(name) + 1),
			       data + sizeof(name) - 1);
		seconds = curl_getdate(value, NULL);
		if (seconds > 0 && g->now_s)
			*g->now_s = (double)seconds;
	}
	return len;
}

static int on_progress(void *ctx, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
		       curl_off_t put)
{
	const struct gateway *g = ctx;

	(void)to_get, (void)got, (void)to_put, (void)put;
	return g->options.is_stopping && g->options.is_stopping() ? 1 : 0;
}

static bool add_field(struct gateway *g, const char *line)
{
	struct curl_slist *longer = curl_slist_append(g->fields, line);

	if (longer)
		g->fields = longer;
	return longer != NULL;
}

static int add_credentials(struct gateway *g)
{
	static const char bearer[] = "Authorization: Bearer ";
	const char *path = g->options.token_file ? g->options.token_file : g->options.user_file;
	char line[sizeof(bearer) + SECRET_MAX];
	char *secret = line + sizeof(bearer) - 1;
	bool is_ok;
	int err;

	if (!path)
		return 0;
	memcpy(line, bearer, sizeof(bearer));
	err = secret_read(path, secret, SECRET_MAX);
	if (err) {
		(void)snprintf(g->error, sizeof(g->error), "cannot use %.200s: %s", path,
			       err == -EINVAL ? "it must hold one line of text" : strerror(-err));
		return err;
	}
	is_ok = g->options.token_file
			? add_field(g, line)
			: curl_easy_setopt(g->easy, CURLOPT_USERPWD, secret) == CURLE_OK;
	explicit_bzero(line, sizeof(line));
	return is_ok ? 0 : -ENOMEM;
}

static int prepare(struct gateway *g, const char *method, const char *url)
{
	long timeout_s = (long)(g->options.timeout_ms + 999) / 1000;

	g->error[0] = g->words[0] = '\0';
	g->listing = NULL;
	g->listing_error = 0;
	g->listed_bytes = 0;
	g->field_bytes = 0;
	g->body_bytes = 0;
	g->now_s = NULL;
	curl_slist_free_all(g->fields);
	g->fields = NULL;
	curl_easy_reset(g->easy);
	/* Options that take no memory cannot fail. */
	(void)curl_easy_setopt(g->easy, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(g->easy, CURLOPT_USERAGENT, "sidelight/" SIDELIGHT_VERSION);
	(void)curl_easy_setopt(g->easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(g->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)g->options.timeout_ms);
	(void)curl_easy_setopt(g->easy, CURLOPT_LOW_SPEED_LIMIT, SPEED_MIN);
	(void)curl_easy_setopt(g->easy, CURLOPT_LOW_SPEED_TIME, timeout_s);
	(void)curl_easy_setopt(g->easy, CURLOPT_TIMEOUT_MS,
			       timeout_s * 1000 > LISTING_MS ? timeout_s * 1000 : LISTING_MS);
	(void)curl_easy_setopt(g->easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* Frames of HTTP/2 would be one more thing that a hostile gateway can send without end. */
	(void)curl_easy_setopt(g->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(g->easy, CURLOPT_ERRORBUFFER, g->words);
	(void)curl_easy_setopt(g->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(g->easy, CURLOPT_WRITEDATA, g);
	(void)curl_easy_setopt(g->easy, CURLOPT_HEADERFUNCTION, on_field);
	(void)curl_easy_setopt(g->easy, CURLOPT_HEADERDATA, g);
	(void)curl_easy_setopt(g->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(g->easy, CURLOPT_XFERINFODATA, g);
	(void)curl_easy_setopt(g->easy, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(g->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	/* Setting no CA would unset the system's. */
	if (curl_easy_setopt(g->easy, CURLOPT_URL, url) != CURLE_OK ||
	    (g->options.ca &&
	     curl_easy_setopt(g->easy, CURLOPT_CAINFO, g->options.ca) != CURLE_OK)) {
		(void)snprintf(g->error, sizeof(g->error), "no memory");
		return -ENOMEM;
	}
	return add_credentials(g);
}

/* Runs what was prepared; any status but 2xx is an error. */
static int perform(struct gateway *g)
{
	long status = 0;
	CURLcode code;

	(void)curl_easy_setopt(g->easy, CURLOPT_HTTPHEADER, g->fields);
	code = curl_easy_perform(g->easy);
	if (g->field_bytes > FIELDS_MAX) {
		(void)snprintf(g->error, sizeof(g->error),
			       "the header fields of its answer do not end");
		return -EFBIG;
	}
	if (g->body_bytes > BODY_MAX)
		code = CURLE_OK; /* the status says all there is to know */
	if (g->listing_error) {
		(void)snprintf(g->error, sizeof(g->error), "%s",
			       g->listing_error == -EINVAL   ? "its list of groups cannot be read"
			       : g->listing_error == -ENOENT ? "its answer has no Date"
							     : strerror(-g->listing_error));
		return g->listing_error;
	}
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return -ECANCELED;
	if (code != CURLE_OK) {
		(void)snprintf(g->error, sizeof(g->error), "%s",
			       g->words[0] ? g->words : curl_easy_strerror(code));
		return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
	}
	(void)curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return 0;
	(void)snprintf(g->error, sizeof(g->error), "it answers %ld", status);
	return -EPROTO;
}

int gateway_list(struct gateway *g, struct listing *l, double *ret_now_s)
{
	struct text url;
	int err;

	text_init(&url);
	group_add_root(&url, g->options.url, "/api/v1/metrics");
	err = url.has_failed ? -ENOMEM : prepare(g, "GET", url.ptr);
	text_release(&url);
	if (err)
		return err;
	g->listing = l;
	g->now_s = ret_now_s;
	*ret_now_s = 0;
	err = perform(g);
	if (!err && listing_end(l)) {
		(void)snprintf(g->error, sizeof(g->error), "its list of groups cannot be read");
		err = -EPROTO;
	}
	return err;
}

int gateway_delete(struct gateway *g, const char *path)
{
	struct text url;
	int err;

	text_init(&url);
	group_add_root(&url, g->options.url, path);
	err = url.has_failed ? -ENOMEM : prepare(g, "DELETE", url.ptr);
	text_release(&url);
	if (err)
		return err;
	(void)curl_easy_setopt(g->easy, CURLOPT_TIMEOUT_MS, (long)g->options.timeout_ms);
	return perform(g);
}
