/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises other protocols than HTTP on TCP by the first bytes of a connection. They are counted
 * by name, and not as malformed HTTP.
 */
#ifndef SIDELIGHT_PROTO_NOT_HTTP_H
#define SIDELIGHT_PROTO_NOT_HTTP_H

#include <stdbool.h>

#include "base/span.h"

enum not_http {
	NOT_HTTP_NONE, /* none of these; it may be HTTP */
	NOT_HTTP_AMQP,
	NOT_HTTP_FTP_OR_MAIL, /* a greeting of FTP, SMTP, POP3 or IMAP */
	NOT_HTTP_MEMCACHED,
	NOT_HTTP_MONGODB,
	NOT_HTTP_MQTT,
	NOT_HTTP_MYSQL,
	NOT_HTTP_POSTGRESQL,
	NOT_HTTP_REDIS,
	NOT_HTTP_SSH,
	NOT_HTTP_MAX,
};

/* A static string, like "PostgreSQL". */
const char *not_http_name(enum not_http protocol);

/*
 * data: the first bytes of one direction, at least one byte. They come from the client, or from the
 * server before the client has sent any.
 */
enum not_http not_http_detect(struct span data, bool is_from_client);

#endif
