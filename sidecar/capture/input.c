/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/input.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER_SIZE (64u << 10)

/* For inflateInit2(): the maximum window of 32 KiB, and the header of gzip. */
#define GZIP_WINDOW_BITS (15 + 16)

struct input {
	FILE *file;
	bool is_gzip;
	bool has_zlib; /* z is initialised */
	bool is_at_member; /* gzip: at the start of a member, or the end of the file */
	bool has_ended;
	const char *error;
	void (*on_idle)(void *ctx); /* NULL: not set */
	void *idle_ctx;
	z_stream z; /* its input is in raw */
	size_t first; /* offset of the first unread byte in buf */
	size_t end;
	uint8_t buf[BUFFER_SIZE];
	uint8_t raw[BUFFER_SIZE];
};

static void fail(struct input *in, const char *why)
{
	in->error = why;
	in->has_ended = true;
}

/* Reads available bytes, at least one. Returns 0 at the end or on an error. */
static size_t read_file(struct input *in, void *buf, size_t len)
{
	struct pollfd fd = {.fd = fileno(in->file), .events = POLLIN};
	ssize_t n;

	if (in->on_idle && poll(&fd, 1, INPUT_IDLE_MS) == 0)
		in->on_idle(in->idle_ctx);
	do
		n = read(fd.fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail(in, errno == EISDIR ? "it is a directory" : "it cannot be read");
	return n > 0 ? (size_t)n : 0;
}

/* Reads more compressed bytes. Returns false if there are none. */
static bool fill_raw(struct input *in)
{
	if (in->z.avail_in)
		return true;
	in->z.next_in = in->raw;
	in->z.avail_in = (uInt)read_file(in, in->raw, sizeof(in->raw));
	return in->z.avail_in;
}

/* Starts the next member. Padding behind a member is ignored, as by tools. */
static bool begin_member(struct input *in)
{
	if (!fill_raw(in) || *in->z.next_in != 0x1f)
		return false;
	in->is_at_member = false;
	return inflateReset(&in->z) == Z_OK;
}

static size_t read_gzip(struct input *in, void *buf, size_t len)
{
	int rc;

	in->z.next_out = buf;
	in->z.avail_out = (uInt)len;
	while (in->z.avail_out == len && !in->error) {
		if (in->is_at_member && !begin_member(in))
			return 0;
		if (!fill_raw(in)) {
			if (!in->error)
				fail(in, "the compressed data is truncated");
			break;
		}
		rc = inflate(&in->z, Z_NO_FLUSH);
		in->is_at_member = rc == Z_STREAM_END;
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			fail(in,
			     rc == Z_MEM_ERROR ? "no memory" : "the compressed data is damaged");
	}
	return len - in->z.avail_out;
}

static size_t read_more(struct input *in, void *buf, size_t len)
{
	size_t n;

	if (in->has_ended)
		return 0;
	n = in->is_gzip ? read_gzip(in, buf, len) : read_file(in, buf, len);
	if (n == 0)
		in->has_ended = true;
	return n;
}

const uint8_t *input_peek(struct input *in, size_t want, size_t *ret_len)
{
	if (in->end - in->first < want) {
		memmove(in->buf, in->buf + in->first, in->end - in->first);
		in->end -= in->first;
		in->first = 0;
	}
	while (in->end - in->first < want) {
		size_t n = read_more(in, in->buf + in->end, sizeof(in->buf) - in->end);

		if (n == 0)
			break;
		in->end += n;
	}
	*ret_len = in->end - in->first;
	return in->buf + in->first;
}

size_t input_read(struct input *in, void *buf, size_t len)
{
	size_t there;
	const uint8_t *from = input_peek(in, len > 0, &there);

	len = len < there ? len : there;
	memcpy(buf, from, len);
	in->first += len;
	return len;
}

size_t input_read_all(struct input *in, void *buf, size_t len)
{
	size_t done = 0;
	size_t n;

	while (done < len && (n = input_read(in, (uint8_t *)buf + done, len - done)) > 0)
		done += n;
	return done;
}

bool input_skip(struct input *in, uint64_t len)
{
	size_t there;

	while (len > 0) {
		(void)input_peek(in, 1, &there);
		if (there == 0)
			return false;
		if (there > len)
			there = (size_t)len;
		in->first += there;
		len -= there;
	}
	return true;
}

void input_on_idle(struct input *in, void (*fn)(void *ctx), void *ctx)
{
	in->on_idle = fn;
	in->idle_ctx = ctx;
}

const char *input_error(const struct input *in)
{
	return in->error;
}

/* Starts decompression; the bytes read so far are compressed. */
static bool begin_gzip(struct input *in)
{
	size_t there = in->end - in->first;

	if (inflateInit2(&in->z, GZIP_WINDOW_BITS) != Z_OK)
		return false;
	in->has_zlib = in->is_gzip = true;
	memcpy(in->raw, in->buf + in->first, there);
	in->first = in->end = 0;
	in->z.next_in = in->raw;
	in->z.avail_in = (uInt)there;
	in->has_ended = false;
	return true;
}

struct input *input_new(FILE *file)
{
	struct input *in = malloc(sizeof(*in));
	const uint8_t *head;
	size_t len;

	if (!in) {
		if (file != stdin)
			(void)fclose(file); /* read only */
		return NULL;
	}
	/* The buffers need not be zeroed. */
	memset(in, 0, offsetof(struct input, buf));
	in->file = file;
	head = input_peek(in, 2, &len);
	if (len >= 2 && head[0] == 0x1f && head[1] == 0x8b && !begin_gzip(in)) {
		input_free(in);
		return NULL;
	}
	return in;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	if (in->has_zlib)
		(void)inflateEnd(&in->z); /* its result only says whether all input was used */
	if (in->file != stdin)
		(void)fclose(in->file); /* read only */
	free(in);
}
