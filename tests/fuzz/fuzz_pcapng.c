/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file as input.h decompresses it, read as pcapng. It holds that
 *   - the bytes of a packet are there, and no more of them than its bounds say;
 *   - each packet takes a block of its own out of the file;
 *   - after the end, or an error, nothing comes any more.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "capture/pcapng.h"
#include "fuzz.h"

/* Compressed input may be a thousand times as long: the test stops there. */
#define PACKETS_MAX 4096

static FILE *open_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, data, size) == (ssize_t)size);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
	return fdopen(fd, "rb");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_packed = size > 1 && data[0] == 0x1f && data[1] == 0x8b;
	struct input *in = input_new(open_file(data, size));
	struct pcapng *r = pcapng_new(in);
	struct pcapng_packet p;
	unsigned sum = 0;
	size_t count = 0;

	fuzz_check(in && r);
	while (count < PACKETS_MAX && pcapng_next(r, &p)) {
		count++;
		fuzz_check(p.captured.len <= PCAPNG_PACKET_MAX);
		fuzz_check(p.captured.len <= p.wire_len);
		fuzz_check(p.has_time || p.time_ns == 0);
		for (size_t i = 0; i < p.captured.len; i++)
			sum += (unsigned char)p.captured.ptr[i];
	}
	/* The smallest block with a packet has 16 bytes. */
	fuzz_check(is_packed || count <= size / 16);
	fuzz_check(sum || count <= PACKETS_MAX); /* the bytes were read */
	fuzz_check(count == PACKETS_MAX || !pcapng_next(r, &p));
	pcapng_free(r);
	input_free(in);
	return 0;
}
