/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER_BYTES (64u << 10)
#define HEX_DIGITS   "0123456789abcdefABCDEF"

static const struct {
	const char *label;
	enum tls_secret kind;
} labels[] = {
	{"CLIENT_RANDOM", TLS_SECRET_MASTER},
	{"CLIENT_EARLY_TRAFFIC_SECRET", TLS_SECRET_CLIENT_EARLY},
	{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", TLS_SECRET_CLIENT_HANDSHAKE},
	{"SERVER_HANDSHAKE_TRAFFIC_SECRET", TLS_SECRET_SERVER_HANDSHAKE},
	{"CLIENT_TRAFFIC_SECRET_0", TLS_SECRET_CLIENT_TRAFFIC},
	{"SERVER_TRAFFIC_SECRET_0", TLS_SECRET_SERVER_TRAFFIC},
};

#define LABELS (sizeof(labels) / sizeof(labels[0]))

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes hexadecimal. Returns the number of bytes, at most max; 0 if it is malformed or longer. */
static size_t decode_hex(struct span word, uint8_t *ret, size_t max)
{
	if (word.len % 2 != 0 || word.len / 2 > max)
		return 0;
	for (size_t i = 0; i < word.len; i += 2) {
		int high = hex_digit(word.ptr[i]);
		int low = hex_digit(word.ptr[i + 1]);

		if (high < 0 || low < 0)
			return 0;
		ret[i / 2] = (uint8_t)(high << 4 | low);
	}
	return word.len / 2;
}

/* Removes the first word and the space behind it from the line. */
static struct span take_word(struct span *line)
{
	const char *space = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
	struct span word = {line->ptr, space ? (size_t)(space - line->ptr) : line->len};

	*line = span_from(*line, space ? word.len + 1 : word.len);
	return word;
}

static bool is_made_of(struct span word, const char *characters)
{
	size_t i = 0;

	while (i < word.len && word.ptr[i] && strchr(characters, word.ptr[i]))
		i++;
	return word.len > 0 && i == word.len;
}

static size_t find_label(struct span word)
{
	size_t i = 0;

	while (i < LABELS && !span_is(word, labels[i].label))
		i++;
	return i;
}

/* Returns false if the line does not belong to a key log. */
static bool add_line(struct tls_secrets *secrets, struct span line, struct tls_keylog_stats *stats)
{
	uint8_t random[TLS_RANDOM_BYTES];
	uint8_t value[TLS_MASTER_BYTES];
	struct span label_word = take_word(&line);
	struct span random_word = take_word(&line);
	size_t label = find_label(label_word);
	size_t len;

	/* Other labels, like those of exporters, are not needed. */
	if (label == LABELS)
		return is_made_of(label_word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") &&
		       is_made_of(random_word, HEX_DIGITS) && is_made_of(line, HEX_DIGITS);
	if (decode_hex(random_word, random, sizeof(random)) != sizeof(random))
		return false;
	len = decode_hex(line, value, sizeof(value));
	/* A master secret has 48 bytes, all other secrets are as long as a hash. */
	if (len != TLS_MASTER_BYTES && (len != 32 || labels[label].kind == TLS_SECRET_MASTER)) {
		explicit_bzero(value, sizeof(value));
		return false;
	}
	if (tls_secrets_add(secrets, random, labels[label].kind,
			    (struct span){(const char *)value, len}))
		stats->secrets++;
	else
		stats->dropped++;
	explicit_bzero(value, sizeof(value));
	return true;
}

void tls_keylog_add(struct tls_secrets *secrets, struct span text, struct tls_keylog_stats *stats)
{
	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		struct span line = {text.ptr, end ? (size_t)(end - text.ptr) : text.len};

		text = span_from(text, end ? line.len + 1 : line.len);
		stats->line++;
		while (line.len > 0 &&
		       (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
			line.len--;
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		stats->lines++;
		if (add_line(secrets, line, stats))
			continue;
		if (stats->malformed++ == 0)
			stats->first_malformed = stats->line;
	}
}

/* Reads the file through a buffer that the caller overwrites. Returns 0 or negative errno. */
static int read_lines(struct tls_secrets *secrets, int fd, char *buffer,
		      struct tls_keylog_stats *stats)
{
	size_t total = 0;
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buffer + len, BUFFER_BYTES - len)) != 0) {
		const char *end;
		size_t whole;

		if (n < 0)
			return -errno;
		total += (size_t)n;
		if (total > TLS_KEYLOG_BYTES_MAX)
			return -EFBIG;
		len += (size_t)n;
		end = memrchr(buffer, '\n', len);
		/* A line that fills the buffer is malformed, wherever it is split. */
		whole = end ? (size_t)(end - buffer) + 1 : len == BUFFER_BYTES ? len : 0;
		tls_keylog_add(secrets, (struct span){buffer, whole}, stats);
		len -= whole;
		memmove(buffer, buffer + whole, len);
	}
	tls_keylog_add(secrets, (struct span){buffer, len}, stats);
	return 0;
}

int tls_keylog_read(struct tls_secrets *secrets, const char *path, struct tls_keylog_stats *stats,
		    struct text *error)
{
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer;
	int rc;

	if (fd < 0) {
		text_add(error, strerror(errno));
		return -1;
	}
	buffer = malloc(BUFFER_BYTES);
	if (!buffer) {
		text_add(error, "no memory");
		return -1;
	}
	rc = read_lines(secrets, fd, buffer, stats);
	explicit_bzero(buffer, BUFFER_BYTES);
	free(buffer);
	if (rc == 0 && (stats->malformed == 0 || stats->malformed < stats->lines))
		return 0;
	if (rc == -EFBIG)
		text_addf(error, "is longer than %u MiB", TLS_KEYLOG_BYTES_MAX >> 20);
	else if (rc < 0)
		text_add(error, strerror(-rc));
	else
		text_add(error, "is not a key log (lines of LABEL CLIENT_RANDOM SECRET, as "
				"SSLKEYLOGFILE makes TLS libraries write)");
	return -1;
}
