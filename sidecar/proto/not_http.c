/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/not_http.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * PostgreSQL, "Message Formats": a length that includes itself, then a version or a request code.
 */
#define POSTGRESQL_HEAD	  8
#define POSTGRESQL_MAX	  10000 /* MAX_STARTUP_PACKET_LENGTH of the server */
#define POSTGRESQL_3	  3 /* major version, in the upper 16 bits */
#define POSTGRESQL_CANCEL 80877102u /* and SSLRequest, GSSENCRequest */
#define POSTGRESQL_GSSENC 80877104u

/* MongoDB wire protocol: four little-endian words; the last is the opcode. */
#define MONGODB_HEAD  16
#define MONGODB_MAX   48000000 /* maxMessageSizeBytes */
#define MONGODB_QUERY 2004
#define MONGODB_MSG   2013

struct signature {
	const char *text;
	enum not_http protocol;
};

static const struct signature client_signatures[] = {
	{"AMQP", NOT_HTTP_AMQP},
	{"PING\r\n", NOT_HTTP_REDIS},
	{"SSH-", NOT_HTTP_SSH},
};

static const struct signature server_signatures[] = {
	{"SSH-", NOT_HTTP_SSH},		{"220 ", NOT_HTTP_FTP_OR_MAIL},
	{"220-", NOT_HTTP_FTP_OR_MAIL}, {"+OK", NOT_HTTP_FTP_OR_MAIL},
	{"* OK", NOT_HTTP_FTP_OR_MAIL},
};

static const char *const memcached[] = {"get ",	 "gets ", "set ",      "add ",	 "delete ",
					"incr ", "mg ",	  "version\r", "stats\r"};

const char *not_http_name(enum not_http protocol)
{
	static const char *const names[NOT_HTTP_MAX] = {
		[NOT_HTTP_NONE] = "none",
		[NOT_HTTP_AMQP] = "AMQP",
		[NOT_HTTP_FTP_OR_MAIL] = "FTP or mail",
		[NOT_HTTP_MEMCACHED] = "memcached",
		[NOT_HTTP_MONGODB] = "MongoDB",
		[NOT_HTTP_MQTT] = "MQTT",
		[NOT_HTTP_MYSQL] = "MySQL",
		[NOT_HTTP_POSTGRESQL] = "PostgreSQL",
		[NOT_HTTP_REDIS] = "redis",
		[NOT_HTTP_SSH] = "SSH",
	};

	return names[protocol];
}

static uint32_t big_endian(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t little_endian(const char *p)
{
	return __builtin_bswap32(big_endian(p));
}

static bool is_postgresql(struct span data)
{
	uint32_t length;
	uint32_t code;

	if (data.len < POSTGRESQL_HEAD)
		return false;
	length = big_endian(data.ptr);
	code = big_endian(data.ptr + 4);
	return length >= POSTGRESQL_HEAD && length <= POSTGRESQL_MAX &&
	       (code >> 16 == POSTGRESQL_3 ||
		(code >= POSTGRESQL_CANCEL && code <= POSTGRESQL_GSSENC));
}

static bool is_mongodb(struct span data)
{
	uint32_t length;
	uint32_t opcode;

	if (data.len < MONGODB_HEAD)
		return false;
	length = little_endian(data.ptr);
	opcode = little_endian(data.ptr + 12);
	return length > MONGODB_HEAD && length <= MONGODB_MAX &&
	       (opcode == MONGODB_MSG || opcode == MONGODB_QUERY);
}

/* A command of memcached's text protocol. Some have the names of HTTP methods in lower case. */
static bool is_memcached(struct span data)
{
	const char *end = memchr(data.ptr, '\n', data.len);
	size_t len = end ? (size_t)(end - data.ptr) : 0;

	for (size_t i = 0; i < sizeof(memcached) / sizeof(memcached[0]); i++)
		if (span_starts(data, memcached[i]))
			return end && !memmem(data.ptr, len, "HTTP/", 5);
	return false;
}

/* MQTT 3.1 or later: CONNECT, a remaining length of one to four bytes, the name of the protocol. */
static bool is_mqtt(struct span data)
{
	size_t at = 1;

	while (at < data.len && at < 4 && data.ptr[at] & 0x80)
		at++;
	data = span_from(data, at + 1);
	return data.len >= 6 && data.ptr[0] == 0 && (data.ptr[1] == 4 || data.ptr[1] == 6) &&
	       data.ptr[2] == 'M' && data.ptr[3] == 'Q';
}

static enum not_http match_signature(const struct signature *rows, size_t count, struct span data)
{
	for (size_t i = 0; i < count; i++)
		if (span_starts(data, rows[i].text))
			return rows[i].protocol;
	return NOT_HTTP_NONE;
}

static enum not_http detect_server(struct span data)
{
	/* MySQL's greeting: three bytes of length, sequence number 0, protocol version 10. */
	if (data.len > 5 && data.ptr[0] && !data.ptr[2] && !data.ptr[3] && data.ptr[4] == 10)
		return NOT_HTTP_MYSQL;
	return match_signature(server_signatures,
			       sizeof(server_signatures) / sizeof(server_signatures[0]), data);
}

enum not_http not_http_detect(struct span data, bool is_from_client)
{
	char first = data.ptr[0];

	if (!is_from_client)
		return detect_server(data);
	if (is_mongodb(data))
		return NOT_HTTP_MONGODB;
	switch (first) {
	case 0:
		return is_postgresql(data) ? NOT_HTTP_POSTGRESQL : NOT_HTTP_NONE;
	case '*': /* an array of RESP: *3\r\n$3\r\nSET... */
		return data.len > 1 && data.ptr[1] >= '1' && data.ptr[1] <= '9' ? NOT_HTTP_REDIS
										: NOT_HTTP_NONE;
	case 0x10:
		return is_mqtt(data) ? NOT_HTTP_MQTT : NOT_HTTP_NONE;
	default:
		break;
	}
	if (first >= 'a' && first <= 'z')
		return is_memcached(data) ? NOT_HTTP_MEMCACHED : NOT_HTTP_NONE;
	return match_signature(client_signatures,
			       sizeof(client_signatures) / sizeof(client_signatures[0]), data);
}
