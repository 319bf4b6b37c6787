/* SPDX-License-Identifier: Apache-2.0 */
#include "export/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define ZLIB_CONST /* or it wants to write to its input */
#include <zlib.h>

/*
 * Exposition text repeats itself so much that the fastest level already
 * leaves about 4 %; windows of 4 KiB (and 16 for the gzip header) keep the
 * compressor below 64 KiB of memory.
 */
#define LEVEL	    1
#define WINDOW_BITS (12 + 16)
#define MEM_LEVEL   5

int gzip_span(struct span in, char **ret_ptr, size_t *ret_len)
{
	z_stream z = {0};
	size_t size;
	char *ptr;
	int err;

	if (in.len > UINT32_MAX / 2 ||
	    deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	size = deflateBound(&z, in.len);
	ptr = malloc(size);
	if (!ptr) {
		(void)deflateEnd(&z); /* nothing was done with it */
		return -ENOMEM;
	}
	z.next_in = (const Bytef *)in.ptr;
	z.avail_in = (uInt)in.len;
	z.next_out = (Bytef *)ptr;
	z.avail_out = (uInt)size;
	err = deflate(&z, Z_FINISH);
	*ret_len = z.total_out;
	(void)deflateEnd(&z); /* says what deflate() has said */
	if (err != Z_STREAM_END) {
		free(ptr);
		return -ENOMEM;
	}
	*ret_ptr = ptr;
	return 0;
}
