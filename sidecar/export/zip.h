/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ZIP archive (APPNOTE.TXT 6.3) that is written from its beginning to its end, so that a pipe
 * takes it: sizes stand behind each entry's data. Entries are deflated while they grow; one that
 * grows beside another is deflated to a file of its own, and copied when its turn has come.
 *
 *     zip_begin(z, "a"); zip_entry_begin(&e, z->out); zip_entry_write(&e, ...);
 *     zip_entry_end(&e); zip_end(z, "a", &e); ... zip_finish(z);
 *
 * Functions return 0 or negative errno; -EFBIG: an archive of this form ends at 4 GiB.
 */
#ifndef SIDELIGHT_EXPORT_ZIP_H
#define SIDELIGHT_EXPORT_ZIP_H

#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

#include "base/span.h"
#include "base/text.h"

struct zip {
	FILE *out; /* borrowed */
	uint64_t at; /* bytes written, but those of the entry that is begun */
	uint64_t entry_at; /* where that begins */
	unsigned count;
	struct text directory; /* the end of the archive, as far as it is known */
};

struct zip_entry {
	FILE *out; /* borrowed */
	z_stream deflate;
	uint32_t crc;
	uint64_t raw_bytes;
	uint64_t bytes; /* deflated */
};

void zip_init(struct zip *z, FILE *out);
void zip_release(struct zip *z);

int zip_begin(struct zip *z, const char *name);
int zip_end(struct zip *z, const char *name, const struct zip_entry *e);
/* The directory, which makes it an archive. */
int zip_finish(struct zip *z);

int zip_entry_begin(struct zip_entry *e, FILE *out);
int zip_entry_write(struct zip_entry *e, struct span data);
int zip_entry_end(struct zip_entry *e);
/* Of an entry that was begun, and not ended. */
void zip_entry_release(struct zip_entry *e);

/* A whole entry. */
int zip_add(struct zip *z, const char *name, struct span data);
/* An entry whose e->bytes come next in `from`. */
int zip_add_deflated(struct zip *z, const char *name, const struct zip_entry *e, FILE *from);

#endif
