/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/chunked.h"

#define SIZE_DIGITS_MAX 8
#define OVERHEAD_MAX	4096

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_size(struct chunked *c, char byte)
{
	int digit = digit_of(byte);

	if (digit >= 0) {
		c->left = c->left << 4 | (unsigned)digit;
		return ++c->digits <= SIZE_DIGITS_MAX;
	}
	c->state = byte == '\r' ? CHUNKED_SIZE_LF : CHUNKED_EXTENSION;
	return c->digits > 0 && (byte == '\r' || byte == ';');
}

/* Extensions and trailer fields: no control characters but the tab. */
static bool skip(struct chunked *c, char byte)
{
	return ((unsigned char)byte >= ' ' || byte == '\t') && byte != 0x7f &&
	       ++c->overhead <= OVERHEAD_MAX;
}

static void end_trailer_line(struct chunked *c)
{
	c->state = c->line_bytes == 0 ? CHUNKED_DONE : CHUNKED_TRAILER;
	c->line_bytes = 0;
}

/* One byte of what is around the data; false if it must not stand there. */
static bool read_byte(struct chunked *c, char byte)
{
	switch (c->state) {
	case CHUNKED_SIZE:
		return read_size(c, byte);
	case CHUNKED_EXTENSION:
		if (byte != '\r')
			return skip(c, byte);
		c->state = CHUNKED_SIZE_LF;
		return true;
	case CHUNKED_SIZE_LF:
		c->state = c->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
		return byte == '\n';
	case CHUNKED_DATA_CR:
		c->state = CHUNKED_DATA_LF;
		return byte == '\r';
	case CHUNKED_DATA_LF:
		c->state = CHUNKED_SIZE;
		c->digits = 0;
		return byte == '\n';
	case CHUNKED_TRAILER:
		if (byte == '\r') {
			c->state = CHUNKED_TRAILER_LF;
			return true;
		}
		c->line_bytes++;
		return skip(c, byte);
	case CHUNKED_TRAILER_LF:
		end_trailer_line(c);
		return byte == '\n';
	case CHUNKED_DATA:
	case CHUNKED_DONE:
		break;
	}
	return false;
}

long chunked_read(struct chunked *c, struct span bytes, struct span *ret_data)
{
	size_t at = 0;

	*ret_data = (struct span){bytes.ptr, 0};
	while (at < bytes.len && c->state != CHUNKED_DATA && c->state != CHUNKED_DONE)
		if (!read_byte(c, bytes.ptr[at++]))
			return -1;
	if (c->state == CHUNKED_DATA) {
		size_t n = bytes.len - at < c->left ? bytes.len - at : (size_t)c->left;

		*ret_data = (struct span){bytes.ptr + at, n};
		c->left -= n;
		if (c->left == 0)
			c->state = CHUNKED_DATA_CR;
		at += n;
	}
	return (long)at;
}
