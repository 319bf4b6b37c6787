/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"

struct request {
	struct request_options options;
	CURL *easy;
	struct curl_slist *fields;
	struct page *body; /* NULL: none is sent */
	struct page_reader *body_reader;
	request_part_fn part_fn; /* NULL: of an answer its beginning is kept, in reply */
	void *part_ctx;
	bool is_cut; /* by part_fn */
	size_t answer_fields; /* bytes */
	size_t answer_body; /* bytes */
	char error[CURL_ERROR_SIZE];
	char reply[sizeof(((struct push_outcome *)0)->detail)]; /* its beginning */
	size_t reply_len;
};

struct request *request_new(const struct request_options *options)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->options = *options;
	r->easy = curl_easy_init();
	if (!r->easy) {
		request_free(r);
		return NULL;
	}
	return r;
}

static void release_body(struct request *r)
{
	page_reader_free(r->body_reader);
	page_free(r->body);
	r->body_reader = NULL;
	r->body = NULL;
}

static void request_clear(struct request *r)
{
	release_body(r);
	curl_slist_free_all(r->fields);
	r->fields = NULL;
	r->part_fn = NULL;
	r->is_cut = false;
	r->answer_fields = 0;
	r->answer_body = 0;
	r->error[0] = '\0';
	r->reply_len = 0;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	if (r->easy)
		curl_easy_cleanup(r->easy);
	request_clear(r);
	free(r);
}

static size_t on_reply(char *data, size_t size, size_t count, void *ctx)
{
	struct request *r = ctx;
	size_t len = size * count;
	size_t room = sizeof(r->reply) - r->reply_len;
	long status = 0;

	if (r->part_fn) {
		(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status); /* or 0 */
		if (status == 200) {
			r->is_cut = !r->part_fn(r->part_ctx, (struct span){data, len});
			return r->is_cut ? CURL_WRITEFUNC_ERROR : len;
		}
	}
	memcpy(r->reply + r->reply_len, data, len < room ? len : room);
	r->reply_len += len < room ? len : room;
	r->answer_body += len;
	return r->answer_body > REQUEST_BODY_MAX ? CURL_WRITEFUNC_ERROR : len;
}

/*
 * A line of interim answers (1xx), of the answer, and of its trailers. libcurl stores each of them
 * until the transfer ends; it limits the length of a line (100 KiB) but not the number of trailers.
 */
static size_t on_answer_field(char *data, size_t size, size_t count, void *ctx)
{
	struct request *r = ctx;

	(void)data;
	r->answer_fields += size * count;
	return r->answer_fields > REQUEST_FIELDS_MAX ? CURL_WRITEFUNC_ERROR : size * count;
}

static size_t on_body_wanted(char *buf, size_t size, size_t count, void *ctx)
{
	struct request *r = ctx;
	ssize_t n = page_read(r->body_reader, buf, size * count);

	return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

/* A kept connection that has ended meanwhile: libcurl sends the body again, over a new one. */
static int on_body_rewind(void *ctx, curl_off_t offset, int origin)
{
	struct request *r = ctx;

	if (offset != 0 || origin != SEEK_SET || page_rewind(r->body_reader) < 0)
		return CURL_SEEKFUNC_FAIL;
	return CURL_SEEKFUNC_OK;
}

/* The kernel would make it up to 6 MB (tcp_rmem) for a gateway that sends fast. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	const int bytes = 64 << 10;

	(void)ctx, (void)purpose;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)); /* or it is larger */
	return CURL_SOCKOPT_OK;
}

static bool add_field(struct request *r, const char *line)
{
	struct curl_slist *fields = curl_slist_append(r->fields, line);

	if (fields)
		r->fields = fields;
	return fields != NULL;
}

/* Copies what somebody else wrote, up to a line end, as one printable line. */
static void describe(struct push_outcome *o, const char *from, size_t len)
{
	size_t n = 0;

	for (; n < len && n + 1 < sizeof(o->detail) && from[n] && from[n] != '\n'; n++)
		o->detail[n] = isprint((unsigned char)from[n]) ? from[n] : '?';
	while (n > 0 && (o->detail[n - 1] == ' ' || o->detail[n - 1] == '?'))
		n--; /* a carriage return became `?` */
	o->detail[n] = '\0';
}

/* Reads one secret into a field or an option; false with the outcome filled. */
static bool add_credentials(struct request *r, struct push_outcome *ret_outcome)
{
	static const char bearer[] = "Authorization: Bearer ";
	const char *path = r->options.token_file ? r->options.token_file : r->options.user_file;
	char line[sizeof(bearer) + SECRET_MAX];
	char *secret = line + sizeof(bearer) - 1;
	bool is_ok;
	int err;

	if (!path)
		return true;
	memcpy(line, bearer, sizeof(bearer));
	err = secret_read(path, secret, SECRET_MAX);
	if (err) {
		(void)snprintf(ret_outcome->detail, sizeof(ret_outcome->detail),
			       "cannot use %.200s: %s", path,
			       err == -EINVAL ? "it must hold one line of text" : strerror(-err));
		return false;
	}
	if (r->options.token_file) {
		is_ok = add_field(r, line);
	} else {
		is_ok = curl_easy_setopt(r->easy, CURLOPT_USERPWD, secret) == CURLE_OK &&
			curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) ==
				CURLE_OK;
	}
	explicit_bzero(line, sizeof(line));
	if (!is_ok)
		describe(ret_outcome, "no memory", SIZE_MAX);
	return is_ok;
}

/* Options that take no memory cannot fail. */
static void set_limits(struct request *r, uint64_t timeout_ms)
{
	CURL *easy = r->easy;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* Frames of HTTP/2 would be one more thing that a hostile gateway can send without end. */
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_answer_field);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	/* libcurl fills this buffer up to a hundred times before it gives control back. */
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
	/* A resolver that hangs in its thread must not keep us from exiting. */
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static bool set_body(struct request *r, enum page_coding coding, const char *type)
{
	CURL *easy = r->easy;
	char field[128];

	(void)snprintf(field, sizeof(field), "Content-Type: %s", type);
	r->body_reader = page_reader_new(r->body, coding);
	if (!r->body_reader)
		return false;
	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			       (curl_off_t)page_length(r->body, coding));
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, r);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_body_rewind);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, r);
	/* No 100-continue: one more round trip, and old proxies stumble over it. */
	return add_field(r, field) && add_field(r, "Expect:") &&
	       (coding != PAGE_GZIP || add_field(r, "Content-Encoding: gzip"));
}

/* A request to url, without its method. */
static bool begin_request(struct request *r, const char *url, uint64_t timeout_ms)
{
	CURL *easy = r->easy;

	curl_easy_reset(easy);
	set_limits(r, timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sidelight/" SIDELIGHT_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
	/* Setting no CA would unset the system's. */
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	       (!r->options.ca ||
		curl_easy_setopt(easy, CURLOPT_CAINFO, r->options.ca) == CURLE_OK) &&
	       curl_easy_setopt(easy, CURLOPT_SSLCERT, r->options.cert) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLKEY, r->options.key) == CURLE_OK;
}

static bool add_fields(struct request *r)
{
	for (const char *const *field = r->options.fields; field && *field; field++)
		if (!add_field(r, *field))
			return false;
	return true;
}

/* The last step: then it is ready to be run. */
static CURL *end_request(struct request *r, struct push_outcome *ret_outcome)
{
	if (!add_credentials(r, ret_outcome))
		return NULL;
	(void)curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->fields);
	return r->easy;
}

CURL *request_prepare_get(struct request *r, const struct request_read *read, uint64_t timeout_ms,
			  struct push_outcome *ret_outcome)
{
	char accept[64];

	request_clear(r);
	r->part_fn = read->part;
	r->part_ctx = read->ctx;
	*ret_outcome = (struct push_outcome){.result = PUSH_LOCAL};
	(void)snprintf(accept, sizeof(accept), "Accept: %s", read->accept);
	/* Not by CURLOPT_ACCEPT_ENCODING: not every libcurl can decompress. */
	if (!begin_request(r, read->url, timeout_ms) || !add_field(r, accept) ||
	    (read->takes_gzip && !add_field(r, "Accept-Encoding: gzip"))) {
		describe(ret_outcome, "no memory", SIZE_MAX);
		return NULL;
	}
	return end_request(r, ret_outcome);
}

CURL *request_prepare(struct request *r, const struct request_content *content, uint64_t timeout_ms,
		      struct push_outcome *ret_outcome)
{
	CURL *easy = r->easy;

	request_clear(r);
	r->body = content->body;
	r->part_fn = content->part;
	r->part_ctx = content->ctx;
	*ret_outcome = (struct push_outcome){.result = PUSH_LOCAL};
	if (!begin_request(r, r->options.url, timeout_ms) || !add_fields(r) ||
	    (r->body && !set_body(r, content->coding, content->type)) ||
	    /* After CURLOPT_POST, which would make it a POST. */
	    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, content->method) != CURLE_OK) {
		describe(ret_outcome, "no memory", SIZE_MAX);
		return NULL;
	}
	return end_request(r, ret_outcome);
}

static enum push_result answered(long status)
{
	if (status >= 200 && status < 300)
		return PUSH_OK;
	if (status >= 300 && status < 400)
		return PUSH_REDIRECTED;
	return status >= 500 ? PUSH_FAILED : PUSH_REJECTED;
}

static enum push_result unanswered(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return PUSH_TIMEOUT;
	/*
	 * An empty reply is how a Pushgateway before 1.11.1 answers metrics that
	 * are inconsistent with another group's: its handler panics.
	 */
	case CURLE_GOT_NOTHING:
		return PUSH_REJECTED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return PUSH_TLS;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no status line */
		return PUSH_FAILED;
	case CURLE_OUT_OF_MEMORY:
		return PUSH_LOCAL;
	default:
		return PUSH_REFUSED;
	}
}

void request_outcome(struct request *r, CURLcode code, struct push_outcome *ret_outcome)
{
	struct push_outcome line = {0};
	char *location = NULL;
	curl_off_t retry_after = 0;
	long os_error = 0;

	release_body(r);
	*ret_outcome = (struct push_outcome){0};
	/* What fails leaves them zero. */
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &ret_outcome->status);
	(void)curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after);
	ret_outcome->retry_after_s = retry_after > 0 ? (uint64_t)retry_after : 0;
	if (code == CURLE_FILESIZE_EXCEEDED || r->answer_fields > REQUEST_FIELDS_MAX) {
		ret_outcome->result = PUSH_FAILED;
		describe(ret_outcome,
			 r->answer_fields > REQUEST_FIELDS_MAX
				 ? "the header fields of its answer do not end"
				 : "its answer does not end",
			 SIZE_MAX);
		return;
	}
	/* libcurl calls a trailer over 4 KiB an error of memory. */
	if (code == CURLE_RECV_ERROR && strstr(r->error, "chunked-encoding")) {
		ret_outcome->result = PUSH_FAILED;
		describe(ret_outcome, "the chunked coding of its answer is malformed", SIZE_MAX);
		return;
	}
	ret_outcome->is_cut = r->is_cut;
	if (r->is_cut || r->answer_body > REQUEST_BODY_MAX)
		code = CURLE_OK; /* the status says all there is to know */
	if (code != CURLE_OK) {
		(void)curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
		ret_outcome->result = unanswered(code);
		if (code == CURLE_GOT_NOTHING)
			describe(ret_outcome, "empty reply", SIZE_MAX);
		else if (code == CURLE_COULDNT_CONNECT && os_error)
			describe(ret_outcome, strerror((int)os_error), SIZE_MAX);
		else
			describe(ret_outcome, r->error[0] ? r->error : curl_easy_strerror(code),
				 SIZE_MAX);
		/* "Connection refused" in the middle of a line; but "SSL ..." stays. */
		if (isupper((unsigned char)ret_outcome->detail[0]) &&
		    islower((unsigned char)ret_outcome->detail[1]))
			ret_outcome->detail[0] =
				(char)tolower((unsigned char)ret_outcome->detail[0]);
		return;
	}
	ret_outcome->result = answered(ret_outcome->status);
	if (ret_outcome->result == PUSH_OK)
		return;
	if (ret_outcome->result == PUSH_REDIRECTED) {
		(void)curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &location);
		describe(&line, location ? location : "nowhere", SIZE_MAX);
		(void)snprintf(ret_outcome->detail, sizeof(ret_outcome->detail),
			       "%ld to %.200s, not followed", ret_outcome->status, line.detail);
		return;
	}
	describe(&line, r->reply, r->reply_len);
	(void)snprintf(ret_outcome->detail, sizeof(ret_outcome->detail), "%ld%s%.300s",
		       ret_outcome->status, line.detail[0] ? ": " : "", line.detail);
}
