/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry at one moment, in one of several formats, kept compressed as one gzip member
 * (RFC 1952).
 *
 * Only the compressed form stands in memory, which is about 2.5 % of the text: the text is
 * compressed while it is encoded, and a reader that wants it uncompressed decompresses it block by
 * block. A page does not change once it is made, and any number of readers may read it.
 */
#ifndef SIDELIGHT_EXPORT_PAGE_H
#define SIDELIGHT_EXPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "metrics/registry.h"
#include "metrics/text.h"

struct page;

/* Hands over all of the content in parts of some KiB; false: it could not, or part() has failed. */
typedef bool (*page_encode_fn)(void *ctx, text_part_fn part, void *part_ctx);

/* A page of what encode() hands over. NULL: no memory. */
struct page *page_make(page_encode_fn encode, void *ctx);

enum page_format { PAGE_TEXT, PAGE_OPENMETRICS, PAGE_PROTOBUF, PAGE_FORMATS };

/* As HTTP names it (Content-Type). */
const char *page_type(enum page_format format);

/* A page of all series. NULL: no memory. */
struct page *page_new(const struct registry *r, enum page_format format, const struct label *labels,
		      size_t label_count);
/* No reader may be left. Accepts NULL. */
void page_free(struct page *p);

/* Bytes of memory that the page takes. */
size_t page_memory(const struct page *p);

enum page_coding { PAGE_IDENTITY, PAGE_GZIP };

/* How many bytes a reader of this coding reads in total. */
uint64_t page_length(const struct page *p, enum page_coding coding);

struct page_reader;

/* Borrows the page until page_reader_free(). NULL: no memory. */
struct page_reader *page_reader_new(const struct page *p, enum page_coding coding);
/* Accepts NULL. */
void page_reader_free(struct page_reader *r);

/* Stores the next bytes, at most len. Returns how many, 0 at the end, or a negative errno. */
ssize_t page_read(struct page_reader *r, char *buf, size_t len);

/* Starts over at the beginning. Returns 0 or a negative errno. */
int page_rewind(struct page_reader *r);

#endif
