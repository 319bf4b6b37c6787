/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/grpc.h"

#include <stdio.h>
#include <strings.h>

#define PREFIX 5
#define NAMES  17

static const char *const names[NAMES] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

const char *grpc_status_name(unsigned status, char *buf)
{
	if (status < NAMES)
		return names[status];
	if (status == GRPC_STATUS_HIDDEN)
		return "unknown";
	if (status >= GRPC_STATUS_NONE)
		return "";
	(void)snprintf(buf, GRPC_STATUS_SIZE, "%u", status); /* at most four digits */
	return buf;
}

bool grpc_is_server_error(unsigned status)
{
	/* UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS */
	return status < NAMES && (1u << status & (1u << 2 | 1u << 4 | 0xfu << 12));
}

unsigned grpc_status_parse(struct span value)
{
	unsigned status = 0;

	if (value.len == 0)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < value.len; i++) {
		unsigned digit = (unsigned char)value.ptr[i] - (unsigned)'0';

		if (digit > 9)
			return GRPC_UNKNOWN;
		status = status * 10 + digit;
		if (status >= GRPC_STATUS_MAX)
			return GRPC_UNKNOWN;
	}
	return status;
}

unsigned grpc_status_of_http(unsigned status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

unsigned grpc_status_of_reset(uint32_t code)
{
	/* Indexed by the error codes of RFC 9113 section 7, NO_ERROR to HTTP_1_1_REQUIRED. */
	static const uint8_t mapped[] = {
		GRPC_INTERNAL,		GRPC_INTERNAL, GRPC_INTERNAL, GRPC_INTERNAL,
		GRPC_INTERNAL,		GRPC_UNKNOWN,  GRPC_INTERNAL, GRPC_UNAVAILABLE,
		GRPC_CANCELLED,		GRPC_INTERNAL, GRPC_INTERNAL, GRPC_RESOURCE_EXHAUSTED,
		GRPC_PERMISSION_DENIED, GRPC_INTERNAL,
	};

	return code < sizeof(mapped) ? mapped[code] : GRPC_UNKNOWN;
}

#define TYPE	 "application/grpc"
#define TYPE_WEB "application/grpc-web"

/* Media types are case-insensitive (RFC 9110 section 8.3.1). */
static bool is_type(struct span value, const char *type, size_t len)
{
	return value.len >= len && strncasecmp(value.ptr, type, len) == 0 &&
	       (value.len == len || value.ptr[len] == '+' || value.ptr[len] == ';' ||
		value.ptr[len] == ' ');
}

bool grpc_is_content_type(struct span value)
{
	return is_type(value, TYPE, sizeof(TYPE) - 1);
}

bool grpc_is_web_content_type(struct span value)
{
	return is_type(value, TYPE_WEB, sizeof(TYPE_WEB) - 1) ||
	       is_type(value, TYPE_WEB "-text", sizeof(TYPE_WEB "-text") - 1);
}

uint64_t grpc_timeout_ns(struct span value)
{
	uint64_t n = 0;

	/* At most eight digits and a unit. */
	if (value.len < 2 || value.len > 9)
		return 0;
	for (size_t i = 0; i < value.len - 1; i++) {
		unsigned digit = (unsigned char)value.ptr[i] - (unsigned)'0';

		if (digit > 9)
			return 0;
		n = n * 10 + digit;
	}
	switch (value.ptr[value.len - 1]) {
	case 'H':
		return n * 3600 * 1000000000;
	case 'M':
		return n * 60 * 1000000000;
	case 'S':
		return n * 1000000000;
	case 'm':
		return n * 1000000;
	case 'u':
		return n * 1000;
	case 'n':
		return n;
	default:
		return 0;
	}
}

/* A prefix is complete; b is its length field. */
static void begin_message(struct grpc_messages *m, const uint8_t *b)
{
	m->count++;
	m->left = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	m->has_bytes |= m->left > 0;
}

/* Adds one byte of a prefix. */
static void prefix_byte(struct grpc_messages *m, uint8_t byte)
{
	if (m->have == 0) {
		/* The flag is 0 or 1 (compressed); no version defines others. */
		m->is_other |= byte > 1;
		m->have = 1;
		return;
	}
	m->head[m->have++ - 1] = byte;
	if (m->have < PREFIX)
		return;
	m->have = 0;
	begin_message(m, m->head);
}

void grpc_messages_data(struct grpc_messages *m, struct span data)
{
	while (data.len && !m->is_lost && !m->is_other) {
		if (m->left) {
			size_t n = data.len < m->left ? data.len : m->left;

			m->left -= (uint32_t)n;
			data = span_from(data, n);
		} else if (!m->have && data.len >= PREFIX && (uint8_t)data.ptr[0] <= 1) {
			begin_message(m, (const uint8_t *)data.ptr + 1);
			data = span_from(data, PREFIX);
		} else {
			prefix_byte(m, (uint8_t)data.ptr[0]);
			data = span_from(data, 1);
		}
	}
}

void grpc_messages_skip(struct grpc_messages *m, uint64_t len)
{
	if (len > m->left)
		m->is_lost = true;
	else
		m->left -= (uint32_t)len;
}

bool grpc_messages_are_whole(const struct grpc_messages *m)
{
	return (m->count == 1 || m->has_bytes) && !m->left && !m->have && !m->is_lost &&
	       !m->is_other;
}
