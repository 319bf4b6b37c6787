/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/request_head.h"

#include <string.h>

#include "base/http_syntax.h"

enum {
	STATUS_BAD_REQUEST = 400,
	STATUS_EXPECTATION = 417,
	STATUS_HEAD_SIZE = 431,
	STATUS_NOT_IMPLEMENTED = 501,
	STATUS_VERSION = 505,
};

#define METHOD_BYTES_MAX  32
#define LENGTH_DIGITS_MAX 18 /* below 2^63 */

static int refuse(struct request_head *h, unsigned status)
{
	h->status = status;
	return -1;
}

/* The part before the first `c`; all of it if there is none. */
static struct span until(struct span s, char c)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return (struct span){s.ptr, at ? (size_t)(at - s.ptr) : s.len};
}

static struct request_part part_of(struct span bytes, struct span s)
{
	return (struct request_part){(uint32_t)(s.ptr - bytes.ptr), (uint32_t)s.len};
}

/* RFC 9112 section 3.2: a path, or what a client says to a proxy. */
static bool read_target(struct request_head *h, struct span bytes, struct span target)
{
	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.ptr[i] <= ' ' || (unsigned char)target.ptr[i] >= 0x7f)
			return false;
	if (target.len > 7 && strncasecmp(target.ptr, "http://", 7) == 0)
		target = span_from(target, 7 + until(span_from(target, 7), '/').len);
	else if (target.len > 8 && strncasecmp(target.ptr, "https://", 8) == 0)
		target = span_from(target, 8 + until(span_from(target, 8), '/').len);
	if (target.len == 0 || *target.ptr != '/')
		return false;
	h->path = part_of(bytes, until(target, '?'));
	return true;
}

static int read_request_line(struct request_head *h, struct span bytes, struct span line)
{
	struct span method = until(line, ' ');
	struct span target;
	struct span version;

	if (!http_is_token(method) || method.len > METHOD_BYTES_MAX || method.len == line.len)
		return refuse(h, STATUS_BAD_REQUEST);
	h->method = part_of(bytes, method);
	line = span_from(line, method.len + 1);
	target = until(line, ' ');
	if (target.len == line.len || !read_target(h, bytes, target))
		return refuse(h, STATUS_BAD_REQUEST);
	version = span_from(line, target.len + 1);
	if (version.len != 8 || !span_starts(version, "HTTP/") || version.ptr[6] != '.' ||
	    version.ptr[5] < '0' || version.ptr[5] > '9' || version.ptr[7] < '0' ||
	    version.ptr[7] > '9')
		return refuse(h, STATUS_BAD_REQUEST);
	if (version.ptr[5] != '1')
		return refuse(h, STATUS_VERSION);
	h->minor = version.ptr[7] != '0';
	return 0;
}

static int read_length(struct request_head *h, struct span value)
{
	if (h->has_length || value.len == 0 || value.len > LENGTH_DIGITS_MAX)
		return refuse(h, STATUS_BAD_REQUEST);
	h->has_length = true;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return refuse(h, STATUS_BAD_REQUEST);
		h->content_length = h->content_length * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return 0;
}

static int read_encoding(struct request_head *h, struct span value)
{
	if (h->has_encoding)
		return refuse(h, STATUS_BAD_REQUEST);
	h->has_encoding = true;
	h->is_chunked = span_is_word(value, "chunked");
	return h->is_chunked ? 0 : refuse(h, STATUS_NOT_IMPLEMENTED);
}

/* RFC 9112 section 3.2: more than one, or one that cannot be a host, is refused. */
static int read_host(struct request_head *h, struct span value)
{
	if (h->has_host)
		return refuse(h, STATUS_BAD_REQUEST);
	h->has_host = true;
	return http_is_host(value) ? 0 : refuse(h, STATUS_BAD_REQUEST);
}

static void read_connection(struct request_head *h, struct span value)
{
	while (value.len > 0) {
		struct span item = until(value, ',');

		value = span_from(value, item.len < value.len ? item.len + 1 : item.len);
		h->wants_close |= span_is_word(span_trim(item), "close");
		h->wants_keep_alive |= span_is_word(span_trim(item), "keep-alive");
	}
}

static int read_field(struct request_head *h, struct span bytes, struct span line)
{
	struct span name = until(line, ':');
	struct span value;

	/* A line that starts with a blank has no token for a name: that refuses obs-fold. */
	if (name.len == line.len || !http_is_token(name))
		return refuse(h, STATUS_BAD_REQUEST);
	value = span_from(line, name.len + 1);
	if (!http_is_field_value(value))
		return refuse(h, STATUS_BAD_REQUEST);
	if (++h->field_count > REQUEST_FIELDS_MAX)
		return refuse(h, STATUS_HEAD_SIZE);
	value = span_trim(value);
	if (span_is_word(name, "Content-Length"))
		return read_length(h, value);
	if (span_is_word(name, "Transfer-Encoding"))
		return read_encoding(h, value);
	if (span_is_word(name, "Host"))
		return read_host(h, value);
	if (span_is_word(name, "Connection"))
		read_connection(h, value);
	if (span_is_word(name, "Content-Type")) {
		if (h->content_type.len)
			return refuse(h, STATUS_BAD_REQUEST);
		h->content_type = part_of(bytes, value);
	}
	if (span_is_word(name, "Expect")) {
		if (!span_is_word(value, "100-continue"))
			return refuse(h, STATUS_EXPECTATION);
		h->expects_continue = h->minor >= 1;
	}
	return 0;
}

/* What holds between the fields. */
static int check(struct request_head *h)
{
	if (h->minor >= 1 && !h->has_host)
		return refuse(h, STATUS_BAD_REQUEST);
	/* RFC 9112 section 6.1 */
	if (h->has_encoding && (h->has_length || h->minor == 0))
		return refuse(h, STATUS_BAD_REQUEST);
	return 0;
}

/* The line [h->line, end), without its CRLF. Returns 1 for the empty line that ends a head. */
static int read_line(struct request_head *h, struct span bytes, uint32_t end)
{
	struct span line = {bytes.ptr + h->line, end - h->line};

	if (!h->method.len) {
		/* RFC 9112 section 2.2: an empty line before a request is skipped; here, one. */
		if (line.len == 0 && h->line == 0)
			return 0;
		return read_request_line(h, bytes, line);
	}
	if (line.len == 0)
		return check(h) ? -1 : 1;
	return read_field(h, bytes, line);
}

int request_head_read(struct request_head *h, struct span bytes)
{
	if (h->status)
		return -1;
	for (;;) {
		size_t limit =
			bytes.len < REQUEST_HEAD_BYTES_MAX ? bytes.len : REQUEST_HEAD_BYTES_MAX;
		const char *lf = h->scanned < limit
					 ? memchr(bytes.ptr + h->scanned, '\n', limit - h->scanned)
					 : NULL;
		uint32_t end;
		int ret;

		if (!lf) {
			h->scanned = (uint32_t)limit;
			return limit == REQUEST_HEAD_BYTES_MAX ? refuse(h, STATUS_HEAD_SIZE) : 0;
		}
		end = (uint32_t)(lf - bytes.ptr);
		if (end == h->line || bytes.ptr[end - 1] != '\r')
			return refuse(h, STATUS_BAD_REQUEST);
		ret = read_line(h, bytes, end - 1);
		h->line = h->scanned = end + 1;
		if (ret < 0)
			return -1;
		if (ret > 0)
			return (int)h->line;
	}
}
