/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_partial.h"

#include <errno.h>
#include <string.h>

#include "proto/http1_chunk.h"
#include "proto/http1_scan.h"

/* Most heads fit; doubled as needed. */
#define ALLOC_FIRST 1024u

struct http1_partial *http1_partial_new(struct memory_account *memory, uint64_t time_ns)
{
	struct http1_partial *part = memory_calloc(memory, 1, sizeof(*part));

	if (!part)
		return NULL;
	part->memory = memory;
	part->time_ns = time_ns;
	return part;
}

void http1_partial_free(struct http1_partial *part)
{
	if (!part)
		return;
	memory_free(part->memory, part->buf);
	memory_free(part->memory, part);
}

/* Makes room for n more bytes; the caller keeps len within the limit. */
static int reserve(struct http1_partial *part, size_t n)
{
	size_t want = part->len + n;
	size_t alloc = part->alloc ? part->alloc : ALLOC_FIRST;
	char *buf;

	if (want <= part->alloc)
		return 0;
	while (alloc < want)
		alloc *= 2;
	buf = memory_realloc(part->memory, part->buf, alloc);
	if (!buf)
		return -ENOMEM;
	part->buf = buf;
	part->alloc = (uint32_t)alloc;
	return 0;
}

static int append(struct http1_partial *part, const char *p, size_t n)
{
	int rc = reserve(part, n);

	if (rc < 0)
		return rc;
	memcpy(part->buf + part->len, p, n);
	part->len += (uint32_t)n;
	return 0;
}

/* True if the line at part->line, without its LF, is empty. */
static bool is_empty_line(const struct http1_partial *part)
{
	uint32_t n = part->len - part->line;

	return n == 0 || (n == 1 && part->buf[part->line] == '\r');
}

/* True if an empty line ends with the LF at p + at, and the line before it ends at or after p. */
static bool ends_head(const char *p, size_t at)
{
	return p[at] == '\n' && at > 0 &&
	       (p[at - 1] == '\n' || (at > 1 && p[at - 1] == '\r' && p[at - 2] == '\n'));
}

/*
 * The offset after the empty line in p[0, len), 0 if there is none. A head may have thousands of
 * short lines, so only line ends that are one or two bytes apart are compared.
 */
static size_t find_end(const char *p, size_t len)
{
	uint32_t before = 0; /* mask of the previous block */

	for (size_t block = 0; block < len; block += HTTP1_SCAN_BLOCK) {
		size_t left = len - block;
		uint32_t ends = left < HTTP1_SCAN_BLOCK ? http1_scan_few(p + block, left)
							: http1_scan_block(p + block);
		uint32_t near = ends << 1 | before >> 31 | ends << 2 | before >> 30;

		for (uint32_t mask = ends & near; mask; mask &= mask - 1) {
			size_t at = block + (unsigned)__builtin_ctz(mask);

			if (ends_head(p, at))
				return at + 1;
		}
		before = ends;
	}
	return 0;
}

/* Adds bytes of the start line. *ret_used is at most data.len. */
static int add_start_line(struct http1_partial *part, struct span data, bool is_response,
			  size_t *ret_used)
{
	size_t room = HTTP1_HEAD_MAX - part->len;
	const char *lf = memchr(data.ptr, '\n', data.len < room ? data.len : room);
	size_t n = lf ? (size_t)(lf + 1 - data.ptr) : data.len < room ? data.len : room;
	bool is_decided = part->len > HTTP1_METHOD_MAX;
	int rc = append(part, data.ptr, n);

	if (rc < 0)
		return rc;
	*ret_used = n;
	/*
	 * As long as the line is incomplete, only its first characters can rule a start line out.
	 */
	if ((lf || !is_decided) &&
	    !http1_head_starts((struct span){part->buf, part->len}, is_response))
		return HTTP1_PARTIAL_BAD;
	if (lf)
		part->line = part->len;
	return part->len == HTTP1_HEAD_MAX ? HTTP1_PARTIAL_FULL : HTTP1_PARTIAL_MORE;
}

/* Adds bytes to a head within the limit; all of them are kept. */
static int add_kept(struct http1_partial *part, struct span data, bool is_response,
		    size_t *ret_used)
{
	size_t room;
	size_t from;
	size_t end;
	const char *lf;
	int rc;

	if (part->line == 0) {
		rc = add_start_line(part, data, is_response, ret_used);
		if (rc != HTTP1_PARTIAL_MORE || part->line == 0)
			return rc;
		data = span_from(data, *ret_used);
	}
	/* The line end before the empty line may have come in an earlier segment. */
	from = part->len - part->line < 2 ? part->line - 1 : part->len - 2;
	room = HTTP1_HEAD_MAX - part->len;
	if (data.len > room)
		data.len = room;
	rc = append(part, data.ptr, data.len);
	if (rc < 0)
		return rc;
	*ret_used += data.len;
	end = find_end(part->buf + from, part->len - from);
	if (end) {
		*ret_used -= part->len - (from + end);
		part->len = (uint32_t)(from + end);
		return HTTP1_PARTIAL_DONE;
	}
	lf = memrchr(part->buf + from, '\n', part->len - from);
	if (lf)
		part->line = (uint32_t)(lf + 1 - part->buf);
	return part->len == HTTP1_HEAD_MAX ? HTTP1_PARTIAL_FULL : HTTP1_PARTIAL_MORE;
}

/* Adds bytes to a reported head: keeps one line at a time, and no more than the limit. */
static int add_dropped(struct http1_partial *part, struct span data, size_t *ret_used)
{
	size_t used = 0;

	while (used < data.len) {
		struct span rest = span_from(data, used);
		const char *lf = memchr(rest.ptr, '\n', rest.len);
		bool is_empty;
		int rc;

		if (lf)
			rest.len = (size_t)(lf - rest.ptr);
		used += rest.len + (lf != NULL);
		*ret_used = used;
		if (rest.len > HTTP1_HEAD_MAX - part->len)
			part->is_long_line = true;
		if (!part->is_long_line) {
			rc = append(part, rest.ptr, rest.len);
			if (rc < 0)
				return rc;
		}
		if (!lf)
			break;
		is_empty = !part->is_long_line && is_empty_line(part);
		if (!is_empty && !part->is_long_line)
			http1_head_field(&part->framing, (struct span){part->buf, part->len});
		part->len = 0;
		part->is_long_line = false;
		if (is_empty)
			return HTTP1_PARTIAL_DONE;
	}
	return HTTP1_PARTIAL_MORE;
}

/* True if the framing fields announce exactly the body that follows in this segment. */
static bool is_framed(const struct http1_partial *part, struct span body, bool is_response)
{
	const struct http1_framing *f = &part->framing;
	struct http1 chunked = {0};
	size_t trailers;
	size_t used;

	if (part->body == HTTP1_BODY_NONE || !(f->has_coding || f->has_length))
		return body.len == 0 && (part->body == HTTP1_BODY_NONE || !is_response);
	if (!f->has_coding)
		return body.len == 0 || f->length == body.len;
	http1_chunk_begin(&chunked);
	return body.len == 0 ||
	       (http1_chunk_data(&chunked, body, &used, &trailers) == HTTP1_CHUNK_DONE &&
		used == body.len);
}

/* After a skip, an empty line may be inside of a body, unless the write ends there. */
static int add_unframed(struct http1_partial *part, struct span data, bool is_response,
			size_t *ret_used)
{
	size_t used = 0;
	size_t n = 0;
	int rc;

	do {
		rc = add_dropped(part, span_from(data, used), &n);
		used += n;
		*ret_used = used;
		if (rc == HTTP1_PARTIAL_DONE && is_framed(part, span_from(data, used), is_response))
			return rc;
	} while (rc == HTTP1_PARTIAL_DONE && used < data.len);
	return rc == HTTP1_PARTIAL_DONE ? HTTP1_PARTIAL_MORE : rc;
}

int http1_partial_add(struct http1_partial *part, struct span data, bool is_response,
		      size_t *ret_used)
{
	*ret_used = 0;
	if (part->is_unframed)
		return add_unframed(part, data, is_response, ret_used);
	return part->is_reported ? add_dropped(part, data, ret_used)
				 : add_kept(part, data, is_response, ret_used);
}

enum http1_head_result http1_partial_parse(struct http1_partial *part, bool is_response,
					   bool is_truncated, struct http1_head *ret_head)
{
	struct span head = {part->buf, part->len};
	enum http1_head_result result;

	result = is_truncated ? http1_head_parse_truncated(ret_head, head, is_response)
			      : http1_head_parse(ret_head, head, is_response);
	if (result != HTTP1_HEAD_FOLDED)
		return result;
	http1_head_unfold(part->buf, part->len);
	return is_truncated ? http1_head_parse_truncated(ret_head, head, is_response)
			    : http1_head_parse(ret_head, head, is_response);
}

void http1_partial_report(struct http1_partial *part, const struct http1_framing *framing,
			  enum http1_body body)
{
	/* The rest of a truncated start line is not a field. */
	part->is_long_line = part->line == 0;
	part->len -= part->line;
	memmove(part->buf, part->buf + part->line, part->len);
	part->line = 0;
	part->framing = *framing;
	part->body = body;
	part->is_reported = true;
}

void http1_partial_skip(struct http1_partial *part)
{
	part->len = 0;
	part->is_long_line = true;
	part->is_unframed = true;
}
