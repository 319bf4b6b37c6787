/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#define V1_MAX	      PROXY_BUFFER_MAX
#define V2_SIGNATURE  12
#define V2_HEAD	      16 /* signature, version and command, family and transport, length */
#define V2_INET4      12 /* two addresses and two ports */
#define V2_INET6      36
#define V2_UNIX	      216
#define COMMAND_LOCAL 0
#define COMMAND_PROXY 1

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Version 1: enough of the line to distinguish it from a request with an unknown method. */
static const char *const v1_starts[] = {"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"};

static bool agrees(const char *bytes, size_t n, const char *with, size_t len)
{
	return memcmp(bytes, with, n < len ? n : len) == 0;
}

/* True if the n bytes can be the start of a header of version 1. */
static bool may_be_v1(const char *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof(v1_starts) / sizeof(*v1_starts); i++)
		if (agrees(bytes, n, v1_starts[i], strlen(v1_starts[i])))
			return true;
	return false;
}

static bool is_v1(const struct proxy *p)
{
	return p->buffered && p->bytes[0] == 'P';
}

/* Removes the next field and the space after it from the line. Returns false if there is none. */
static bool next_field(struct span *line, char *field, size_t size)
{
	const char *space = memchr(line->ptr, ' ', line->len);
	size_t n = space ? (size_t)(space - line->ptr) : line->len;

	if (n == 0 || n >= size)
		return false;
	memcpy(field, line->ptr, n);
	field[n] = '\0';
	*line = span_from(*line, space ? n + 1 : n);
	return true;
}

/* A port: digits without leading zeros. */
static bool read_port(const char *text, uint16_t *ret_port)
{
	uint32_t port = 0;

	if (text[0] == '0' && text[1])
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		port = port * 10 + (uint32_t)(*text - '0');
		if (port > UINT16_MAX)
			return false;
	}
	*ret_port = (uint16_t)port;
	return true;
}

/* Parses the line after the family, without CR LF: "source destination port port". */
static bool read_v1(struct span line, uint8_t family, struct endpoint *ret_source)
{
	struct endpoint source = {.family = family};
	char field[INET6_ADDRSTRLEN];
	int af = family == 4 ? AF_INET : AF_INET6;
	uint8_t destination[16];
	uint16_t port;

	if (line.len && line.ptr[line.len - 1] == ' ')
		return false;
	if (!next_field(&line, field, sizeof(field)) || inet_pton(af, field, source.addr) != 1 ||
	    !next_field(&line, field, sizeof(field)) || inet_pton(af, field, destination) != 1 ||
	    !next_field(&line, field, sizeof(field)) || !read_port(field, &source.port) ||
	    !next_field(&line, field, sizeof(field)) || !read_port(field, &port) || line.len)
		return false;
	*ret_source = source;
	return true;
}

/* Parses a complete line of version 1. Returns false if it is malformed. family 0: no address. */
static bool parse_v1(const struct proxy *p, struct endpoint *ret_source)
{
	struct span line = {p->bytes, p->buffered};
	const size_t start = sizeof("PROXY TCP4 ") - 1;

	*ret_source = (struct endpoint){0};
	if (line.len < start + 2 || line.ptr[line.len - 2] != '\r')
		return false;
	line.len -= 2;
	if (span_starts(line, "PROXY UNKNOWN"))
		return true;
	return read_v1(span_from(line, start), line.ptr[start - 2] == '4' ? 4 : 6, ret_source);
}

static enum proxy_result push_v1(struct proxy *p, struct span data, size_t *ret_used)
{
	size_t room = V1_MAX - p->buffered;
	const char *end = memchr(data.ptr, '\n', data.len < room ? data.len : room);
	size_t n = end ? (size_t)(end - data.ptr) + 1 : data.len;
	struct endpoint source;
	struct proxy whole = *p;

	if (!end && data.len >= room)
		return PROXY_BAD;
	memcpy(whole.bytes + whole.buffered, data.ptr, n);
	whole.buffered = (uint8_t)(whole.buffered + n);
	if (end && !parse_v1(&whole, &source))
		return PROXY_BAD;
	*p = whole;
	*ret_used = n;
	return end ? PROXY_DONE : PROXY_MORE;
}

static uint32_t v2_address_bytes(uint8_t family)
{
	switch (family >> 4) {
	case 1:
		return V2_INET4;
	case 2:
		return V2_INET6;
	case 3:
		return V2_UNIX;
	default:
		return 0;
	}
}

/* Checks the first 16 bytes of version 2. Returns false if they are malformed. */
static bool check_v2(const struct proxy *p, uint32_t *ret_len)
{
	const uint8_t *head = (const uint8_t *)p->bytes;
	uint32_t len = (uint32_t)head[14] << 8 | head[15];

	*ret_len = len;
	if (head[12] >> 4 != 2 || (head[12] & 15) > COMMAND_PROXY)
		return false;
	return (head[12] & 15) == COMMAND_LOCAL || len >= v2_address_bytes(head[13]);
}

/* Buffers bytes of data until `until` bytes are buffered; returns how many were added. */
static size_t keep(struct proxy *p, struct span data, size_t until)
{
	size_t n = until - p->buffered;

	n = n < data.len ? n : data.len;
	memcpy(p->bytes + p->buffered, data.ptr, n);
	p->buffered = (uint8_t)(p->buffered + n);
	return n;
}

static enum proxy_result push_v2(struct proxy *p, struct span data, size_t *ret_used)
{
	uint32_t len;
	size_t n = 0;

	if (!p->has_length) {
		struct proxy head = *p;

		n = keep(&head, data, V2_HEAD);
		if (head.buffered == V2_HEAD) {
			if (!check_v2(&head, &len))
				return PROXY_BAD;
			head.left = len;
			head.has_length = true;
		}
		*p = head;
	}
	data = span_from(data, n);
	if (p->has_length) {
		size_t more = p->left < data.len ? p->left : data.len;

		if (p->buffered < V2_HEAD + V2_INET6)
			(void)keep(p, (struct span){data.ptr, more}, V2_HEAD + V2_INET6);
		p->left -= (uint32_t)more;
		n += more;
	}
	*ret_used = n;
	return p->has_length && p->left == 0 ? PROXY_DONE : PROXY_MORE;
}

enum proxy_result proxy_push(struct proxy *p, struct span data, size_t *ret_used)
{
	char start[V2_SIGNATURE + 2];
	size_t n = p->buffered;

	*ret_used = 0;
	/* All bytes so far have to match a signature before any is used. */
	if (n < sizeof(start)) {
		size_t more = sizeof(start) - n < data.len ? sizeof(start) - n : data.len;

		memcpy(start, p->bytes, n);
		memcpy(start + n, data.ptr, more);
		n += more;
		if (start[0] == 'P' ? !may_be_v1(start, n)
				    : !agrees(start, n, v2_signature, V2_SIGNATURE))
			return PROXY_NONE;
	}
	if (p->buffered ? is_v1(p) : data.ptr[0] == 'P')
		return push_v1(p, data, ret_used);
	return push_v2(p, data, ret_used);
}

bool proxy_source(const struct proxy *p, struct endpoint *ret_source)
{
	const uint8_t *head = (const uint8_t *)p->bytes;
	struct endpoint source = {0};

	if (is_v1(p)) {
		if (!parse_v1(p, &source) || !source.family)
			return false;
		*ret_source = source;
		return true;
	}
	if ((head[12] & 15) == COMMAND_LOCAL)
		return false;
	if (head[13] >> 4 == 1) {
		source.family = 4;
		memcpy(source.addr, head + V2_HEAD, 4);
		source.port = (uint16_t)(head[V2_HEAD + 8] << 8 | head[V2_HEAD + 9]);
	} else if (head[13] >> 4 == 2) {
		source.family = 6;
		memcpy(source.addr, head + V2_HEAD, 16);
		source.port = (uint16_t)(head[V2_HEAD + 32] << 8 | head[V2_HEAD + 33]);
	} else {
		return false;
	}
	*ret_source = source;
	return true;
}

bool proxy_skip(struct proxy *p, uint32_t len)
{
	if (!p->has_length || p->buffered < V2_HEAD + V2_INET6 || len > p->left)
		return false;
	p->left -= len;
	return true;
}
