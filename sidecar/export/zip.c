/* SPDX-License-Identifier: Apache-2.0 */
#include "export/zip.h"

#include <errno.h>
#include <string.h>

#define BLOCK_BYTES (16u << 10)

#define HEADER_SIGNATURE     0x04034b50u
#define DESCRIPTOR_SIGNATURE 0x08074b50u
#define DIRECTORY_SIGNATURE  0x02014b50u
#define END_SIGNATURE	     0x06054b50u

#define VERSION_NEEDED	 20 /* deflate */
#define SIZES_ARE_BEHIND 8 /* bit 3 of the flags */
#define METHOD_DEFLATE	 8
#define DATE_1980	 0x21 /* 1 January: two archives of the same requests are the same */

static void add_16(struct text *t, unsigned value)
{
	text_add_char(t, (char)(value & 0xff));
	text_add_char(t, (char)(value >> 8 & 0xff));
}

static void add_32(struct text *t, uint64_t value)
{
	add_16(t, (unsigned)(value & 0xffff));
	add_16(t, (unsigned)(value >> 16 & 0xffff));
}

static int put(FILE *out, struct span data)
{
	return fwrite(data.ptr, 1, data.len, out) == data.len ? 0 : -errno;
}

/* Writes t and releases it. */
static int put_text(struct zip *z, struct text *t)
{
	int err = t->has_failed ? -ENOMEM : put(z->out, text_span(t));

	z->at += t->len;
	text_release(t);
	return err;
}

void zip_init(struct zip *z, FILE *out)
{
	*z = (struct zip){.out = out};
	text_init(&z->directory);
}

void zip_release(struct zip *z)
{
	text_release(&z->directory);
}

/* What the header and the directory have in common; 4.3.7, 4.3.12. */
static void add_common(struct text *t, const char *name, const struct zip_entry *e)
{
	add_16(t, VERSION_NEEDED);
	add_16(t, SIZES_ARE_BEHIND);
	add_16(t, METHOD_DEFLATE);
	add_16(t, 0); /* midnight */
	add_16(t, DATE_1980);
	add_32(t, e ? e->crc : 0);
	add_32(t, e ? e->bytes : 0);
	add_32(t, e ? e->raw_bytes : 0);
	add_16(t, (unsigned)strlen(name));
	add_16(t, 0); /* no extra field */
}

int zip_begin(struct zip *z, const char *name)
{
	struct text t;

	z->entry_at = z->at;
	text_init(&t);
	add_32(&t, HEADER_SIGNATURE);
	add_common(&t, name, NULL);
	text_add(&t, name);
	return put_text(z, &t);
}

int zip_end(struct zip *z, const char *name, const struct zip_entry *e)
{
	struct text t;

	z->at += e->bytes;
	if (z->at > UINT32_MAX || e->raw_bytes > UINT32_MAX)
		return -EFBIG;
	text_init(&t);
	add_32(&t, DESCRIPTOR_SIGNATURE);
	add_32(&t, e->crc);
	add_32(&t, e->bytes);
	add_32(&t, e->raw_bytes);

	z->count++;
	add_32(&z->directory, DIRECTORY_SIGNATURE);
	add_16(&z->directory, VERSION_NEEDED); /* of the program that made it */
	add_common(&z->directory, name, e);
	add_16(&z->directory, 0); /* no comment */
	add_16(&z->directory, 0); /* the only disk */
	add_16(&z->directory, 0); /* attributes */
	add_32(&z->directory, 0);
	add_32(&z->directory, z->entry_at);
	text_add(&z->directory, name);
	return put_text(z, &t);
}

int zip_finish(struct zip *z)
{
	uint64_t at = z->at;
	size_t len = z->directory.len;

	if (at + len > UINT32_MAX)
		return -EFBIG;
	add_32(&z->directory, END_SIGNATURE);
	add_16(&z->directory, 0); /* the only disk, and the one with the directory */
	add_16(&z->directory, 0);
	add_16(&z->directory, z->count);
	add_16(&z->directory, z->count);
	add_32(&z->directory, len);
	add_32(&z->directory, at);
	add_16(&z->directory, 0); /* no comment */
	return put_text(z, &z->directory);
}

int zip_entry_begin(struct zip_entry *e, FILE *out)
{
	*e = (struct zip_entry){.out = out};
	/* Raw, without zlib's header. Higher levels take twice the time for a tenth less. */
	if (deflateInit2(&e->deflate, 3, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	return 0;
}

static int pump(struct zip_entry *e, struct span data, int flush)
{
	unsigned char block[BLOCK_BYTES];
	int err = 0;

	/* zlib writes nothing to it. */
	e->deflate.next_in = (unsigned char *)(uintptr_t)data.ptr;
	e->deflate.avail_in = (unsigned)data.len;
	do {
		size_t len;

		e->deflate.next_out = block;
		e->deflate.avail_out = sizeof(block);
		(void)deflate(&e->deflate, flush); /* cannot fail on a stream like this */
		len = sizeof(block) - e->deflate.avail_out;
		e->bytes += len;
		if (!err)
			err = put(e->out, (struct span){(const char *)block, len});
	} while (e->deflate.avail_out == 0);
	return err;
}

int zip_entry_write(struct zip_entry *e, struct span data)
{
	e->crc = (uint32_t)crc32(e->crc, (const unsigned char *)data.ptr, (unsigned)data.len);
	e->raw_bytes += data.len;
	return pump(e, data, Z_NO_FLUSH);
}

int zip_entry_end(struct zip_entry *e)
{
	int err = pump(e, (struct span){"", 0}, Z_FINISH);

	zip_entry_release(e);
	return err;
}

void zip_entry_release(struct zip_entry *e)
{
	(void)deflateEnd(&e->deflate); /* says whether data was left, which is no matter */
}

int zip_add(struct zip *z, const char *name, struct span data)
{
	struct zip_entry e;
	int err = zip_begin(z, name);

	if (!err)
		err = zip_entry_begin(&e, z->out);
	if (err)
		return err;
	err = zip_entry_write(&e, data);
	if (err) {
		zip_entry_release(&e);
		return err;
	}
	err = zip_entry_end(&e);
	return err ? err : zip_end(z, name, &e);
}

int zip_add_deflated(struct zip *z, const char *name, const struct zip_entry *e, FILE *from)
{
	char block[BLOCK_BYTES];
	uint64_t rest = e->bytes;
	int err = zip_begin(z, name);

	while (!err && rest) {
		size_t len = rest < sizeof(block) ? (size_t)rest : sizeof(block);

		if (fread(block, 1, len, from) != len)
			return -EIO;
		err = put(z->out, (struct span){block, len});
		rest -= len;
	}
	return err ? err : zip_end(z, name, e);
}
